//! Who is told of a sale. Sagas are read after the deliveries, so none is behind what was told of it.

use std::collections::BTreeSet;

use orchestrator::plans::checkout;
use orchestrator::verify::Course;

use crate::verify::facts::Facts;

pub(super) fn tell_of_what_is_bought(facts: &Facts) -> Vec<String> {
    let mut broken = Vec::new();
    let mut told = BTreeSet::new();
    for paid in facts.paid.values() {
        let course = facts.find(checkout::KIND, paid.saga).map(|saga| saga.course);
        let is_bought = matches!(course, Some(Course::Completing | Course::Completed));
        let is_forgotten = course.is_none() && paid.saga.is_some_and(|saga| facts.may_be_forgotten(saga));
        if !is_bought && !is_forgotten {
            broken.push(format!("deliveries/{} tells of {:?}, which is {course:?}", paid.id, paid.saga));
        }
        if !told.insert((paid.saga, paid.channel)) {
            broken.push(format!("deliveries/{} tells {} a second time of {:?}", paid.id, paid.channel, paid.saga));
        }
    }
    broken
}
