//! What is walked through: the shipped plans, and one with groups on both sides of its pivot, each with what its
//! participants ask beyond the barrier.

use saga::{Plan, pivot, retriable, step, together};

use orchestrator::plans::{cancellation, checkout, point_charge};

/// The steps of a payment by card.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CardSteps {
    pub(crate) authorize: usize,
    pub(crate) capture: usize,
}

/// One plan with its participants.
#[derive(Debug)]
pub struct Case {
    /// What it is called on the command line.
    pub name: &'static str,
    /// Its table.
    pub plan: &'static Plan,
    /// The step that takes a hold, which may have run out by then.
    pub(crate) hold: Option<usize>,
    /// Steps that a participant does only while another one stands.
    pub(crate) needs: &'static [(usize, usize)],
    /// The steps that a card processor has the last word on.
    pub(crate) card: Option<CardSteps>,
    /// What the first step's reply makes needless.
    pub(crate) first_skips: &'static [usize],
}

/// Steps side by side before the pivot and after it.
static GROUP: Plan = Plan::new(
    "group",
    1,
    &[
        step("seat", "concert/Lock", "concert/Unlock"),
        together(&[
            step("points", "customer/Reserve", "customer/Release"),
            step("gift", "gift/Reserve", "gift/Release"),
        ]),
        pivot("confirm", "concert/Confirm").arbiter("seat", "CONFIRMED"),
        together(&[retriable("take-points", "customer/Take"), retriable("take-gift", "gift/Take")]),
    ],
);

const CHECKOUT_NEEDS: &[(usize, usize)] = &[(3, 0), (4, 1), (5, 2)];

const CASES: &[Case] = &[
    Case {
        name: "checkout",
        plan: &checkout::PLAN,
        hold: Some(0),
        needs: CHECKOUT_NEEDS,
        card: None,
        first_skips: &[],
    },
    Case {
        name: "checkout-by-card",
        plan: &checkout::PLAN,
        hold: Some(0),
        needs: CHECKOUT_NEEDS,
        card: Some(CardSteps { authorize: 2, capture: 5 }),
        first_skips: &[],
    },
    Case {
        name: "checkout-for-free",
        plan: &checkout::PLAN,
        hold: Some(0),
        needs: CHECKOUT_NEEDS,
        card: None,
        first_skips: &[1, 2, 4, 5],
    },
    Case {
        name: "cancellation",
        plan: &cancellation::PLAN,
        hold: None,
        needs: &[(2, 0), (4, 1)],
        card: None,
        first_skips: &[],
    },
    Case {
        name: "point-charge",
        plan: &point_charge::PLAN,
        hold: None,
        needs: &[],
        card: Some(CardSteps { authorize: 0, capture: 1 }),
        first_skips: &[],
    },
    Case { name: "group", plan: &GROUP, hold: Some(0), needs: &[(3, 0), (4, 1), (5, 2)], card: None, first_skips: &[] },
];

impl Case {
    /// All of them.
    pub fn all() -> &'static [Case] {
        CASES
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<&'static Case> {
        CASES.iter().find(|case| case.name == name)
    }

    pub(crate) fn arbiter(&self) -> Option<usize> {
        self.plan.arbiter().map(|(step, _)| step.0)
    }

    pub(crate) fn pivot(&self) -> Option<usize> {
        self.plan.pivot().map(|step| step.0)
    }
}
