//! Looks at the participants' resources before a saga is started: calls that are no steps of one and change nothing.

use std::time::Duration;

use proto::customer::v1::point_service_client::PointServiceClient;
use proto::customer::v1::{GetPointAccountRequest, PointAccount};
use tonic::{Response, Status};

use crate::desk::Desk;
use crate::participants::Participant;

/// A client's way to the participant.
pub(crate) fn participant(desk: &Desk, name: &str) -> Result<Participant, Status> {
    let missing = || Status::unavailable(format!("the {name} service is not connected"));
    desk.participants.client(name).ok_or_else(missing)
}

/// The participant's answer, or its refusal as it stands.
pub(crate) async fn in_time<T>(
    desk: &Desk,
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, Status> {
    let timeout = Duration::from_millis(desk.config.limits.call_timeout_ms);
    match tokio::time::timeout(timeout, call).await {
        Ok(Ok(answer)) => Ok(answer.into_inner()),
        Ok(Err(status)) => Err(Status::with_details(status.code(), status.message(), status.details().to_vec().into())),
        Err(_) => Err(Status::unavailable("a service did not answer in time; try again")),
    }
}

/// The points of `customers/{uuid}`.
pub(crate) async fn point_account(desk: &Desk, customer: &str) -> Result<PointAccount, Status> {
    let request = GetPointAccountRequest { name: format!("{customer}/pointAccount") };
    let mut client = PointServiceClient::new(participant(desk, "customer")?);
    in_time(desk, client.get_point_account(request)).await
}
