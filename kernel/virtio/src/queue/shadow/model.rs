//! The shadow of a queue, in every state that it can get into.
//!
//! **Proved**, for queues of one to four entries, chains of one to three, and any number of steps: a
//! completion is accepted when its id is the head of a request in flight that was lent before the last
//! look, and its length at most what was lent; then exactly that request's descriptors are free again.
//! In every state each descriptor is free or in one chain of one request, and never in two places.
//!
//! The walk goes breadth-first over states, which are finitely many once numbers that only grow are
//! taken as what they are compared by. A model with sets, which knows no lists, says what must happen.

use alloc::collections::{BTreeMap, BTreeSet};

use super::*;

/// What was lent at once, at most.
const LONGEST: usize = 3;
/// What a device may write into each request.
const LIMIT: u32 = 7;

/// A request in flight, as the model knows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Loan {
    chain: BTreeSet<u16>,
    /// Lent before the last look.
    seen: bool,
}

/// Requests in flight, by their heads.
type Model = BTreeMap<u16, Loan>;

/// A step that a driver or a device makes.
#[derive(Clone, Copy, Debug)]
enum Step {
    Lend(usize),
    Look,
    Complete(u32, u32),
}

impl Shadow {
    fn copy(&self) -> Self {
        Self {
            descriptors: self.descriptors.clone(),
            ..*self
        }
    }

    /// The free descriptors in their order, and the chain of each request with whether it was seen:
    /// all that later steps depend on.
    fn state(&self) -> (Vec<u16>, Vec<(Vec<u16>, bool)>) {
        let chain = |from: u16, count: u16| {
            let mut ids = Vec::new();
            let mut next = Some(from);
            for _ in 0..count {
                let Some(id) = next else { break };
                ids.push(id);
                next = self.next(id);
            }
            ids
        };
        let requests = (0..)
            .zip(&self.descriptors)
            .filter_map(|(head, descriptor)| {
                let request = descriptor.request?;
                Some((chain(head, request.count), request.looks != self.looks))
            });
        (chain(self.free, self.left), requests.collect())
    }
}

fn steps(size: u16) -> Vec<Step> {
    let ids = (0..=u32::from(size)).chain([u32::from(u16::MAX), u32::MAX]);
    let lengths = [0, LIMIT, LIMIT + 1, u32::MAX];
    let completions = ids.flat_map(|id| lengths.map(|len| Step::Complete(id, len)));
    (0..=LONGEST + 1)
        .map(Step::Lend)
        .chain([Step::Look])
        .chain(completions)
        .collect()
}

/// Makes `step` in both, and compares what comes of it.
fn make(step: Step, shadow: &mut Shadow, model: &mut Model) {
    let size = shadow.descriptors.len();
    let used: usize = model.values().map(|loan| loan.chain.len()).sum();
    match step {
        Step::Look => {
            shadow.note_look();
            model.values_mut().for_each(|loan| loan.seen = true);
        }
        Step::Lend(count) => {
            let lent = shadow.lend(count, LIMIT, 0);
            assert_eq!(lent.is_ok(), count != 0 && used + count <= size, "{step:?}");
            let Ok(head) = lent else { return };
            let mut chain = BTreeSet::from([head]);
            let mut id = head;
            while let Some(next) = shadow.next(id) {
                assert!(chain.insert(next), "a chain is no circle");
                id = next;
            }
            assert_eq!(chain.len(), count);
            let taken = model.values().any(|loan| !loan.chain.is_disjoint(&chain));
            assert!(!taken, "what is lent twice");
            model.insert(head, Loan { chain, seen: false });
        }
        Step::Complete(id, len) => {
            let head = u16::try_from(id).ok();
            let known = head
                .and_then(|head| model.get(&head))
                .filter(|loan| loan.seen);
            let good = known.is_some() && len <= LIMIT;
            let done = shadow.complete(id, len);
            assert_eq!(done.is_ok(), good, "{step:?}: {done:?}");
            if let (true, Some(head)) = (good, head) {
                model.remove(&head);
            }
        }
    }
}

/// Whether the shadow knows what the model knows.
fn agree(shadow: &Shadow, model: &Model) {
    let (free, requests) = shadow.state();
    let mut all: Vec<u16> = free;
    for (chain, seen) in &requests {
        let loan = &model[&chain[0]];
        assert_eq!(
            (&chain.iter().copied().collect(), *seen),
            (&loan.chain, loan.seen)
        );
        all.extend(chain);
    }
    all.sort_unstable();
    let whole: Vec<u16> = (0..).take(shadow.descriptors.len()).collect();
    assert_eq!(all, whole, "each descriptor is in one place");
    assert_eq!(requests.len(), model.len());
    assert_eq!(usize::from(shadow.in_flight()), model.len());
}

/// Walks through all states of a queue of `size` entries; says how many there are.
fn walk(size: u16) -> usize {
    let steps = steps(size);
    let mut known = BTreeSet::new();
    let mut open = alloc::vec![(Shadow::new(size), Model::new())];
    known.insert(open[0].0.state());
    while let Some((shadow, model)) = open.pop() {
        for step in &steps {
            let (mut shadow, mut model) = (shadow.copy(), model.clone());
            make(*step, &mut shadow, &mut model);
            agree(&shadow, &model);
            if known.insert(shadow.state()) {
                open.push((shadow, model));
            }
        }
    }
    known.len()
}

#[test]
fn every_state_of_a_small_queue_accepts_what_it_lent_and_nothing_else() {
    let states: Vec<usize> = (1..=4).map(walk).collect();
    // Free, lent, seen.
    assert_eq!(states[0], 3);
    assert!(states[3] > 500, "{states:?}");
}
