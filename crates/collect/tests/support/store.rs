//! A destination in memory that counts copies.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use restante_maildrop::{
    Arrival, BoxFuture, DeliverError, Delivery, Destination, MessageKey, Octets, Receipt,
};

use super::Fuse;

#[derive(Debug, Clone)]
pub(crate) struct Memory {
    messages: Arc<Mutex<HashMap<MessageKey, Vec<u8>>>>,
    fuse: Fuse,
    /// Octets of space; and what a message fails with that contains the word.
    pub(crate) space: Option<usize>,
    pub(crate) poison: Option<&'static str>,
}

impl Memory {
    pub(crate) fn new(fuse: Fuse) -> Self {
        Self { messages: Arc::default(), fuse, space: None, poison: None }
    }

    /// The same messages on another machine, or with another fuse.
    pub(crate) fn with_fuse(&self, fuse: Fuse) -> Self {
        Self { fuse, ..self.clone() }
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
                return Ok(Arrival::Already(receipt(text)));
            }
            let delivery = MemoryDelivery { store: self.clone(), key: key.clone(), text: vec![] };
            Ok(Arrival::New(Box::new(delivery)))
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
            let receipt = receipt(&text);
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

fn receipt(text: &[u8]) -> Receipt {
    Receipt { name: "memory".into(), unique_id: None, octets: Octets::new(text.len() as u64) }
}
