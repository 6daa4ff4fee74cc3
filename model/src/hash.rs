//! A quick hash for keys that nobody chooses to collide, and a set of places in a list.

use std::hash::{BuildHasherDefault, Hash, Hasher};

pub(crate) type Map<K, V> = std::collections::HashMap<K, V, BuildHasherDefault<Quick>>;

const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Quick(u64);

impl Default for Quick {
    fn default() -> Quick {
        Quick(FACTOR)
    }
}

impl Quick {
    fn add(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * u128::from(FACTOR);
        self.0 = (product >> 64) as u64 ^ product as u64;
    }
}

impl Hasher for Quick {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.add(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, word: u8) {
        self.add(u64::from(word));
    }

    fn write_u16(&mut self, word: u16) {
        self.add(u64::from(word));
    }

    fn write_u32(&mut self, word: u32) {
        self.add(u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        self.add(word);
    }

    fn write_usize(&mut self, word: usize) {
        self.add(word as u64);
    }
}

const FREE: u32 = u32::MAX;

/// Finds the place of an item in the list that its owner keeps: eight bytes an item, and no second copy of it. Beside each
/// place stands a part of the item's hash, so that hardly any other item is looked at.
#[derive(Debug)]
pub(crate) struct Places {
    slots: Vec<(u32, u32)>,
    len: usize,
}

impl Places {
    pub(crate) fn new() -> Places {
        Places { slots: vec![(0, FREE); 1 << 10], len: 0 }
    }

    /// The place of `item`, or None after noting that it is about to be pushed.
    pub(crate) fn find_or_push<T: Hash + Eq>(&mut self, list: &[T], item: &T) -> Option<u32> {
        if self.len * 2 >= self.slots.len() {
            self.grow(list);
        }
        let (hash, mask) = (hash(item), self.slots.len() - 1);
        let (mut slot, tag) = (hash as usize & mask, (hash >> 32) as u32);
        while self.slots[slot].1 != FREE {
            let (known, place) = self.slots[slot];
            if known == tag && list[place as usize] == *item {
                return Some(place);
            }
            slot = (slot + 1) & mask;
        }
        self.slots[slot] = (tag, list.len() as u32);
        self.len += 1;
        None
    }

    fn grow<T: Hash>(&mut self, list: &[T]) {
        let mask = self.slots.len() * 4 - 1;
        self.slots = vec![(0, FREE); mask + 1];
        for (place, item) in list.iter().enumerate() {
            let hash = hash(item);
            let mut slot = hash as usize & mask;
            while self.slots[slot].1 != FREE {
                slot = (slot + 1) & mask;
            }
            self.slots[slot] = ((hash >> 32) as u32, place as u32);
        }
    }
}

fn hash<T: Hash>(item: &T) -> u64 {
    let mut quick = Quick::default();
    item.hash(&mut quick);
    quick.finish()
}
