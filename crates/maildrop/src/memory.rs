//! A store in memory: nothing survives the process, everything else is as the traits say.
//!
//! For tests of what stands on a store, and the smallest example of one. In: deliveries. Out:
//! sessions with unique-ids from a counter. Nothing can fail but [`OpenError::InUse`].

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use restante_proto::dot::Counter;
use restante_proto::surrogate::SurrogateCounter;
use restante_proto::{Marks, MessageNumber, Octets, Snapshot, SnapshotBuilder, UniqueId};

use crate::{
    Access, Body, BoxFuture, CommitError, DeliverError, Delivery, Maildrop, OpenError, Owner,
    ReadError, Receipt, Source, Store,
};

/// Maildrops in memory. Clones share them.
#[derive(Clone, Default)]
pub struct MemoryStore {
    shared: Arc<Mutex<Table>>,
}

#[derive(Default)]
struct Table {
    maildrops: BTreeMap<Owner, Kept>,
    ids: u64,
}

#[derive(Default)]
struct Kept {
    messages: Vec<Message>,
    holder: Option<String>,
    /// How many sessions share it.
    sharing: usize,
}

#[derive(Clone)]
struct Message {
    id: UniqueId,
    octets: Octets,
    surrogate: Option<Octets>,
    bytes: Bytes,
    /// Unknown for most: there is no clock here.
    arrived: Option<SystemTime>,
}

impl MemoryStore {
    /// Puts a message into a maildrop without the ceremony of a delivery.
    pub fn put(&self, owner: &Owner, message: impl Into<Bytes>) -> Receipt {
        self.add(owner, message.into(), None)
    }

    /// The same for a message that arrived at `time`.
    pub fn put_arrived(
        &self,
        owner: &Owner,
        message: impl Into<Bytes>,
        time: SystemTime,
    ) -> Receipt {
        self.add(owner, message.into(), Some(time))
    }

    fn add(&self, owner: &Owner, bytes: Bytes, arrived: Option<SystemTime>) -> Receipt {
        let mut counter = Counter::default();
        counter.push(&bytes);
        let octets = counter.finish();
        let mut counter = SurrogateCounter::default();
        counter.push(&bytes);
        let surrogate = counter.finish();
        let mut table = self.table();
        table.ids = table.ids.saturating_add(1);
        let id = counted_id(table.ids);
        let kept = table.maildrops.entry(owner.clone()).or_default();
        kept.messages.push(Message { id: id.clone(), octets, surrogate, bytes, arrived });
        Receipt { name: id.to_string(), unique_id: Some(id), octets }
    }

    /// The messages in a maildrop, in order.
    #[must_use]
    pub fn messages(&self, owner: &Owner) -> Vec<Bytes> {
        let table = self.table();
        let messages = table.maildrops.get(owner).map(|kept| kept.messages.as_slice());
        messages.unwrap_or_default().iter().map(|message| message.bytes.clone()).collect()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open_now(
        &self,
        owner: &Owner,
        access: Access,
        holder: &str,
    ) -> Result<MemoryMaildrop, OpenError> {
        let mut table = self.table();
        let kept = table.maildrops.entry(owner.clone()).or_default();
        if let Some(holder) = &kept.holder
            && (kept.sharing == 0 || access != Access::Shared)
        {
            return Err(OpenError::InUse { holder: Some(holder.clone()) });
        }
        let mut builder = SnapshotBuilder::default();
        for message in &kept.messages {
            builder
                .push(message.octets, &message.id)
                .map_err(|full| OpenError::Permanent(std::io::Error::other(full)))?;
            message.surrogate.into_iter().for_each(|octets| builder.surrogate(octets));
        }
        kept.holder = Some(holder.to_owned());
        kept.sharing = kept.sharing.saturating_add(usize::from(access == Access::Shared));
        let messages = kept.messages.clone();
        Ok(MemoryMaildrop {
            store: self.clone(),
            owner: owner.clone(),
            messages,
            snapshot: builder.finish(),
        })
    }
}

impl Store for MemoryStore {
    fn open<'a>(
        &'a self,
        owner: &'a Owner,
        access: Access,
        holder: &'a str,
    ) -> BoxFuture<'a, Result<Box<dyn Maildrop>, OpenError>> {
        Box::pin(async move {
            let maildrop = self.open_now(owner, access, holder)?;
            Ok(Box::new(maildrop) as Box<dyn Maildrop>)
        })
    }

    fn deliver<'a>(
        &'a self,
        owner: &'a Owner,
    ) -> BoxFuture<'a, Result<Box<dyn Delivery>, DeliverError>> {
        let (store, owner) = (self.clone(), owner.clone());
        let delivery = MemoryDelivery { store, owner, bytes: BytesMut::new() };
        Box::pin(ready(Ok(Box::new(delivery) as Box<dyn Delivery>)))
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryStore({} maildrops)", self.table().maildrops.len())
    }
}

struct MemoryMaildrop {
    store: MemoryStore,
    owner: Owner,
    messages: Vec<Message>,
    snapshot: Snapshot,
}

impl Maildrop for MemoryMaildrop {
    fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    fn body(&mut self, number: MessageNumber) -> BoxFuture<'_, Result<Body, ReadError>> {
        let message = self.messages.get(number.index());
        let message = message.filter(|message| {
            let table = self.store.table();
            let kept = table.maildrops.get(&self.owner);
            kept.is_some_and(|kept| kept.messages.iter().any(|kept| kept.id == message.id))
        });
        let body = message.map(|message| Body::new(Source::Bytes(message.bytes.clone())));
        Box::pin(ready(body.ok_or(ReadError::Gone)))
    }

    fn arrived_before(
        &mut self,
        time: SystemTime,
    ) -> BoxFuture<'_, Result<Vec<MessageNumber>, ReadError>> {
        let old = |number: &MessageNumber| {
            let message = self.messages.get(number.index());
            message.and_then(|message| message.arrived).is_some_and(|arrived| arrived < time)
        };
        let numbers = self.snapshot.numbers().filter(old).collect();
        Box::pin(ready(Ok(numbers)))
    }

    fn commit(self: Box<Self>, marks: Marks) -> BoxFuture<'static, Result<(), CommitError>> {
        let marked: HashSet<_> = marks
            .iter()
            .filter_map(|n| self.messages.get(n.index()))
            .map(|message| message.id.as_str())
            .collect();
        if let Some(kept) = self.store.table().maildrops.get_mut(&self.owner) {
            kept.messages.retain(|message| !marked.contains(message.id.as_str()));
        }
        Box::pin(ready(Ok(())))
    }
}

impl Drop for MemoryMaildrop {
    fn drop(&mut self) {
        if let Some(kept) = self.store.table().maildrops.get_mut(&self.owner) {
            kept.sharing = kept.sharing.saturating_sub(1);
            if kept.sharing == 0 {
                kept.holder = None;
            }
        }
    }
}

impl fmt::Debug for MemoryMaildrop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryMaildrop({:?})", self.snapshot)
    }
}

struct MemoryDelivery {
    store: MemoryStore,
    owner: Owner,
    bytes: BytesMut,
}

impl Delivery for MemoryDelivery {
    fn write(&mut self, chunk: Bytes) -> BoxFuture<'_, Result<(), DeliverError>> {
        self.bytes.extend_from_slice(&chunk);
        Box::pin(ready(Ok(())))
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<Receipt, DeliverError>> {
        let receipt = self.store.put(&self.owner, self.bytes.freeze());
        Box::pin(ready(Ok(receipt)))
    }
}

impl fmt::Debug for MemoryDelivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryDelivery({} bytes)", self.bytes.len())
    }
}

#[expect(clippy::expect_used, reason = "a letter and at most 20 digits are a legal unique-id")]
fn counted_id(count: u64) -> UniqueId {
    UniqueId::new(&format!("m{count}")).expect("a legal unique-id")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance;

    #[test]
    fn the_memory_store_conforms() {
        let store = MemoryStore::default();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(conformance::check(&store));
    }
}
