//! Names to addresses.

use core::{
    net::IpAddr,
    task::{Context, Poll},
};

use clock::Instant;
use smoltcp::{
    socket::dns::{GetQueryResultError, QueryHandle, Socket},
    wire::DnsQueryType,
};

use crate::{
    Error,
    stack::{Inner, Shared},
};

/// Most addresses of each family.
const PER_FAMILY: usize = 4;

/// The addresses of a name, at most four of each family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    list: [Option<IpAddr>; 2 * PER_FAMILY],
    len: usize,
}

impl Addresses {
    fn push(&mut self, address: IpAddr) {
        if let Some(slot) = self.list.get_mut(self.len) {
            *slot = Some(address);
            self.len += 1;
        }
    }

    /// The first address. There is always one.
    pub fn first(&self) -> Option<IpAddr> {
        self.iter().next()
    }

    /// All addresses, IPv4 first.
    pub fn iter(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.list.iter().copied().flatten()
    }
}

/// Finds the addresses of `name` before `deadline`.
pub(crate) async fn resolve(
    shared: &Shared,
    name: &str,
    deadline: Instant,
) -> Result<Addresses, Error> {
    let mut found = Addresses::default();
    if let Ok(address) = name.parse() {
        found.push(address);
        return Ok(found);
    }
    let mut families = [DnsQueryType::A, DnsQueryType::Aaaa].as_slice();
    if !shared.with(|inner| inner.has_global_ipv6()) {
        families = &[DnsQueryType::A];
    }
    for &family in families {
        let query = Query::start(shared, name, family)?;
        shared
            .until(deadline, |inner, context| {
                query.poll(inner, context, &mut found)
            })
            .await?;
    }
    if found.len == 0 {
        return Err(Error::NoSuchName);
    }
    Ok(found)
}

/// A question that is forgotten when nobody waits for its answer any more.
struct Query<'a> {
    shared: &'a Shared,
    handle: QueryHandle,
    answered: core::cell::Cell<bool>,
}

impl<'a> Query<'a> {
    fn start(shared: &'a Shared, name: &str, family: DnsQueryType) -> Result<Self, Error> {
        let handle = shared.with(|inner| {
            if inner
                .lease
                .is_none_or(|lease| lease.name_servers().next().is_none())
            {
                return Err(Error::NoNameServer);
            }
            let dns = inner.dns;
            let mut fresh = inner.fresh_interface(shared.clock.now());
            let socket = inner.sockets.get_mut::<Socket<'_>>(dns);
            let handle = socket
                .start_query(fresh.context(), name, family)
                .map_err(|_| Error::NoSuchName)?;
            inner.notify();
            Ok(handle)
        })?;
        Ok(Self {
            shared,
            handle,
            answered: core::cell::Cell::new(false),
        })
    }

    fn poll(&self, inner: &mut Inner, context: &Context<'_>, found: &mut Addresses) -> Poll<()> {
        let dns = inner.dns;
        let socket = inner.sockets.get_mut::<Socket<'_>>(dns);
        match socket.get_query_result(self.handle) {
            Err(GetQueryResultError::Pending) => {
                socket.register_query_waker(self.handle, context.waker());
                return Poll::Pending;
            }
            Err(GetQueryResultError::Failed) => {}
            Ok(addresses) => addresses.into_iter().for_each(|one| found.push(one.into())),
        }
        // The socket has forgotten the question by itself.
        self.answered.set(true);
        Poll::Ready(())
    }
}

impl Drop for Query<'_> {
    fn drop(&mut self) {
        if !self.answered.get() {
            self.shared.with(|inner| {
                let dns = inner.dns;
                let socket = inner.sockets.get_mut::<Socket<'_>>(dns);
                socket.cancel_query(self.handle);
            });
        }
    }
}
