//! Places in line that purchases have ended. Tokens are read before the sagas, so no saga is behind the token that it ended.

use orchestrator::plans::checkout;
use orchestrator::verify::Course;
use token_svc::verify::TokenState;

use super::passes::ids;
use crate::verify::facts::Facts;

pub(super) fn end_with_purchases(facts: &Facts) -> Vec<String> {
    let ended = facts.tokens.iter().filter_map(|(saga, token)| {
        let found = facts.find(checkout::KIND, Some(*saga));
        let name = format!("waitingRooms/{}/queueTokens/{}", token.room, token.token);
        match found {
            None => {
                (!facts.may_be_forgotten(*saga)).then(|| format!("{name} was ended by {saga}, which is no checkout"))
            }
            Some(found) if found.queue_token != name => {
                Some(format!("{name} was ended by {saga}, which did not come from it"))
            }
            Some(found) => match found.course {
                Course::Completing | Course::Completed => None,
                Course::Open | Course::Compensated => {
                    Some(format!("{name} was ended by {saga}, which is not past its pivot"))
                }
            },
        }
    });
    let left = facts.of_course(checkout::KIND, Course::Completed).filter_map(|(id, saga)| {
        let token = facts.admitted.get(&ids(&saga.queue_token)?)?;
        let is_his = saga.customer == format!("customers/{}", token.customer);
        let is_live = matches!(token.state, TokenState::Waiting | TokenState::Active);
        (is_his && is_live).then(|| format!("{} is live; checkouts/{id} has completed", saga.queue_token))
    });
    ended.chain(left).collect()
}
