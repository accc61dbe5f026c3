//! A destination in memory that counts copies.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use restante_maildrop::{
    Arrival, BoxFuture, DeliverError, Delivery, Destination, Fate, MessageKey, Octets, Receipt,
};

use super::Fuse;

#[derive(Debug, Clone)]
pub(crate) struct Memory {
    messages: Arc<Mutex<HashMap<MessageKey, Vec<u8>>>>,
    fuse: Fuse,
    /// Octets of space; and what a message fails with that contains the word.
    pub(crate) space: Option<usize>,
    pub(crate) poison: Option<&'static str>,
    /// Keys of what the owner moved to the trash.
    trash: Arc<Mutex<Vec<String>>>,
    /// Nothing of it can be read.
    pub(crate) unreadable: bool,
}

impl Memory {
    pub(crate) fn new(fuse: Fuse) -> Self {
        Self {
            messages: Arc::default(),
            fuse,
            space: None,
            poison: None,
            trash: Arc::default(),
            unreadable: false,
        }
    }

    /// The same messages on another machine, or with another fuse.
    pub(crate) fn with_fuse(&self, fuse: Fuse) -> Self {
        Self { fuse, ..self.clone() }
    }

    /// The owner deletes every message with this text.
    pub(crate) fn delete(&self, text: &str) {
        self.messages.lock().unwrap().retain(|_, kept| kept != text.as_bytes());
    }

    /// The owner moves every message with this text to the trash.
    pub(crate) fn discard(&self, text: &str) {
        let messages = self.messages.lock().unwrap();
        let discarded = messages.iter().filter(|(_, kept)| *kept == text.as_bytes());
        self.trash.lock().unwrap().extend(discarded.map(|(key, _)| key.as_str().to_owned()));
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        let messages = self.messages.lock().unwrap();
        let mut texts: Vec<_> =
            messages.values().map(|text| String::from_utf8(text.clone()).unwrap()).collect();
        texts.sort();
        texts
    }
}

impl Destination for Memory {
    fn begin<'a>(&'a self, key: &'a MessageKey) -> BoxFuture<'a, Result<Arrival, DeliverError>> {
        Box::pin(async move {
            if let Some(text) = self.messages.lock().unwrap().get(key) {
                return Ok(Arrival::Already(receipt(key, text)));
            }
            let delivery = MemoryDelivery { store: self.clone(), key: key.clone(), text: vec![] };
            Ok(Arrival::New(Box::new(delivery)))
        })
    }

    fn fates(&self, names: Vec<String>) -> BoxFuture<'_, Result<Option<Vec<Fate>>, DeliverError>> {
        Box::pin(async move {
            if self.unreadable {
                return Err(DeliverError::Temporary(io::Error::other("no such disk")));
            }
            let (messages, trash) = (self.messages.lock().unwrap(), self.trash.lock().unwrap());
            let fate = |name: &String| match messages.keys().any(|key| key.as_str() == name) {
                _ if trash.contains(name) => Fate::Discarded,
                true => Fate::Kept,
                false => Fate::Absent,
            };
            Ok(Some(names.iter().map(fate).collect()))
        })
    }
}

#[derive(Debug)]
struct MemoryDelivery {
    store: Memory,
    key: MessageKey,
    text: Vec<u8>,
}

impl Delivery for MemoryDelivery {
    fn write(&mut self, chunk: Bytes) -> BoxFuture<'_, Result<(), DeliverError>> {
        self.text.extend_from_slice(&chunk);
        Box::pin(async { Ok(()) })
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<Receipt, DeliverError>> {
        Box::pin(async move {
            let Self { store, key, text } = *self;
            let receipt = receipt(&key, &text);
            let mut messages = store.messages.lock().unwrap();
            let used: usize = messages.values().map(Vec::len).sum();
            if store.space.is_some_and(|space| used + text.len() > space) {
                return Err(DeliverError::Temporary(io::ErrorKind::StorageFull.into()));
            }
            let poison = store.poison.map(str::as_bytes);
            if poison.is_some_and(|word| text.windows(word.len()).any(|w| w == word)) {
                return Err(DeliverError::Temporary(io::Error::other("bad block")));
            }
            store
                .fuse
                .change(|| {
                    assert!(messages.insert(key, text).is_none(), "a second copy");
                    Ok(())
                })
                .map_err(DeliverError::Temporary)?;
            Ok(receipt)
        })
    }
}

fn receipt(key: &MessageKey, text: &[u8]) -> Receipt {
    Receipt { name: key.as_str().into(), unique_id: None, octets: Octets::new(text.len() as u64) }
}
