//! Short lists in order.

use alloc::vec::Vec;

/// `items` by ascending `key`; those with the same key stay in their order.
///
/// Each is inserted where it belongs: a list of at most some dozens is sorted by code of a hundredth of the size of
/// `core`'s, which is made anew for each type and key.
pub(crate) fn ordered<T, K: Ord>(
    items: impl IntoIterator<Item = T>,
    key: impl Fn(&T) -> K,
) -> Vec<T> {
    let mut list = Vec::new();
    for item in items {
        let own = key(&item);
        let at = list.iter().take_while(|other| key(other) <= own).count();
        list.insert(at, item);
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn items_come_by_key_and_equal_ones_as_they_came() {
        let items = [(3, 'a'), (1, 'b'), (3, 'c'), (2, 'd'), (1, 'e')];
        let sorted = ordered(items, |item| item.0);
        assert_eq!(
            sorted,
            vec![(1, 'b'), (1, 'e'), (2, 'd'), (3, 'a'), (3, 'c')]
        );
        assert!(ordered(Vec::<u8>::new(), |item| *item).is_empty());
    }
}
