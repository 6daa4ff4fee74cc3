//! Any message to any method: two bytes choose the method, one the metadata of a step, the rest is the message.

use std::cell::RefCell;

use service_kit::db::Error;
use tokio::runtime::{Builder, Runtime};

use crate::bad_input::call::{self, Sent};
use crate::bad_input::contract::{Contract, Method};
use crate::bad_input::stage::Stage;

/// Calls before the world is made anew, so that what leads to a finding is short.
const CALLS: usize = 500;

struct Set {
    // Before its runtime.
    stage: Option<Stage>,
    runtime: Runtime,
    methods: Vec<Method>,
    calls: usize,
}

thread_local! {
    // Never taken down: a database cannot be while its thread's own storage is.
    static SET: &'static RefCell<Set> = Box::leak(Box::new(RefCell::new(Set {
        stage: None,
        runtime: Builder::new_current_thread().enable_all().start_paused(true).build().unwrap(),
        methods: Contract::read().methods,
        calls: 0,
    })));
}

pub(super) fn run(data: &[u8]) {
    let [first, second, step, message @ ..] = data else { return };
    SET.with(|set| {
        let set = &mut *set.borrow_mut();
        if set.calls.is_multiple_of(CALLS) {
            set.look();
            set.stage = None;
            set.stage = Some(set.runtime.block_on(Stage::new()));
        }
        set.calls += 1;
        let method = &set.methods[usize::from(u16::from_le_bytes([*first, *second])) % set.methods.len()];
        let stage = set.stage.as_ref().unwrap();
        set.runtime.block_on(one(stage, method, *step, message));
    });
}

async fn one(stage: &Stage, method: &Method, step: u8, message: &[u8]) {
    let mut sent = Sent { message: message.to_vec(), ..stage.sample(method) };
    match step % 4 {
        0 | 1 => {}
        2 => sent.metadata.clear(),
        _ => sent.metadata.iter_mut().for_each(|(_, value)| *value = step.to_string()),
    }
    match stage.call(method, &sent).await {
        Ok(_) if method.package == "ticketing.orchestrator.v1" => stage.world.settle().await,
        Ok(_) => {}
        Err(status) => call::expect_well_formed(&status, &sent),
    }
}

impl Set {
    /// The books of each service must be in order, whatever it was told. Calls from nowhere break those about sagas and
    /// their effects in the services.
    fn look(&self) {
        let Some(stage) = &self.stage else { return };
        let rules = [
            concert_svc::verify::CHECKS,
            customer_svc::verify::CHECKS,
            payment_svc::verify::CHECKS,
            payment_svc::deliver::verify::CHECKS,
            token_svc::verify::CHECKS,
            orchestrator::verify::CHECKS,
        ];
        let looking = async {
            stage.world.settle().await;
            let findings = stage.world.db.read(async move |tx| {
                let mut findings = Vec::new();
                for rule in rules.into_iter().flatten() {
                    findings.extend(rule.findings(tx).await?);
                }
                Ok::<_, Error>(findings)
            });
            findings.await.unwrap()
        };
        let findings = self.runtime.block_on(looking);
        assert!(findings.is_empty(), "{findings:?}");
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let stage = runtime.block_on(Stage::new());
    let methods = Contract::read().methods;
    let seed = |(index, method): (usize, &Method)| {
        let [first, second] = u16::try_from(index).unwrap().to_le_bytes();
        [&[first, second, 0], &stage.sample(method).message[..]].concat()
    };
    methods.iter().enumerate().map(seed).collect()
}
