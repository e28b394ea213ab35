//! What the page says of what it shows.

/// For somebody who came from the words «bounce buffer».
pub const INTRODUCTION: &str = "\
<p>A confidential guest, a realm, has memory that neither the host nor any device can reach. Devices are the host's all the \
same. So whatever goes to a device is first copied out of private memory into a few pages that both sides reach, and \
whatever comes from it is copied back in: it <em>bounces</em>. Those pages are the <em>bounce buffer</em>; here each \
device has a part of its own, a <em>pool</em>, which its driver divides into <em>slots</em>.</p>\
<p>This page has all of those copies, as the realm itself recorded them: a <em>crossing</em> is what went \
out of the realm or came in for one frame, or for one part of a request. It says when, which device and queue, which slot, how many bytes and what for, and never \
what the bytes were. The host sees all of it anyway, for it is the other end; here the realm's side of it can be compared: \
<code>airlock trace FILE --check</code> does.</p>";

/// The guest did not end in order.
pub const CUT: &str = "<p class=\"warn\">The realm did not say that this is all: it ended in the middle, or still ran.</p>";

/// Bytes over time.
pub const RATES: &str = "Bytes a second, averaged over the width of a hundred and twentieth of the run. <em>Out</em> is what the host \
got from the realm, <em>in</em> what the realm took from the host. Everything that the host can know of a payload's data \
goes through these lines.";

/// Occupancy.
pub const OCCUPANCY: &str = "How much of each pool a device may touch at a moment. A driver leases its slots when it starts and keeps them \
(<em>leased</em>); a slot is <em>lent</em> from the moment that the device is told of it until its completion was \
checked. Buffers for frames that may come are lent all the time. <em>Most ever lent</em> is the high water: what the pool \
had to have. Where a line touches the size of the pool, somebody had to wait.";

/// Sizes.
pub const SIZES: &str = "How long crossings are, in powers of two: a bar at 2K counts those of 1025 to 2048 bytes. Many small ones cost more \
than few large ones, for each is a copy, a descriptor and a share of a doorbell.";

/// Latencies.
pub const LATENCIES: &str = "From the moment that the head of a request was written for the disk until the realm looked at its status, in powers of \
two. The host's work, its scheduling and the realm's own are all in it.";

/// The first crossings.
pub const FIRST: &str = "<p>How it begins. An address is what the device was told: in a realm its highest bit says that the page is \
shared.</p>";
