//! Where one can lie, and what these places are called.

use core::fmt;
use core::str::FromStr;

macro_rules! named {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum $name {
            $($(#[$doc])* $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// What it is called in scripts and tables.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            fn named(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.name() == text)
            }
        }
    };
}

named! {
    /// Who lies.
    Part {
        /// A network card.
        Card = "card",
        /// A disk.
        Disk = "disk",
        /// A source of random bytes.
        Entropy = "entropy",
        /// Places of the bus where nothing is.
        Bus = "bus",
        /// The interrupt controller, and who raises interrupts.
        Interrupts = "interrupts",
        /// The serial port.
        Console = "console",
        /// Who answers RSI calls.
        Rmm = "rsi",
        /// Who answers PSCI calls.
        Psci = "psci",
        /// Whoever else reaches the shared pages.
        Window = "window",
        /// Who wrote the device tree.
        Tree = "tree",
        /// A virtio console with ports.
        Ports = "ports",
        /// Who raises the interrupt of the guest's timer.
        Timer = "timer",
    }
}

named! {
    /// About what.
    Point {
        /// Vendor, device, class, subsystem.
        Identity = "identity",
        /// Command and status of configuration space.
        Command = "command",
        /// Address registers, and what they say of their size.
        Bars = "bars",
        /// The list of capabilities, and what is in it.
        Capabilities = "capabilities",
        /// The rest of configuration space.
        Header = "header",
        /// Feature bits.
        Features = "features",
        /// Number of queues.
        Queues = "queues",
        /// Device status.
        Status = "status",
        /// Generation of the device configuration.
        Generation = "generation",
        /// Size of a queue.
        QueueSize = "queue-size",
        /// Whether a queue is on.
        QueueEnable = "queue-enable",
        /// Where the doorbell is.
        NotifyOffset = "notify-offset",
        /// The rest of the common registers.
        Register = "register",
        /// Interrupt status.
        Isr = "isr",
        /// Device configuration: capacity, address, MTU.
        Config = "config",
        /// How far the used ring goes.
        UsedIndex = "used-index",
        /// Which request is done.
        UsedId = "used-id",
        /// How many bytes were written.
        UsedLength = "used-length",
        /// Flags of the used ring.
        UsedFlags = "used-flags",
        /// When the device wants its doorbell.
        AvailEvent = "avail-event",
        /// The header in front of a frame.
        FrameHeader = "frame-header",
        /// In how many buffers a frame lies.
        Buffers = "buffers",
        /// The byte that says whether a request was done.
        Result = "result",
        /// One bit of the data.
        Content = "content",
        /// The device writes less than it was asked for, and says so.
        Short = "short",
        /// The device does not do a request, and says so.
        Failure = "failure",
        /// A request is never completed; of a timer, its interrupt does not come for a while, in milliseconds.
        Withhold = "withhold",
        /// A request is completed twice.
        Repeat = "repeat",
        /// A frame that nobody asked for.
        ExtraFrame = "extra-frame",
        /// No interrupt when one is due.
        Silence = "silence",
        /// An interrupt when none is due; the value is its number.
        Spurious = "spurious",
        /// One interrupt, raised a thousand times; where there are several, the value says which.
        Storm = "storm",
        /// What a call returns first: its status. The call is not carried out.
        Refusal = "refusal",
        /// What else a call returns.
        Answer = "answer",
        /// A word of a shared page changes while the guest uses it; the value says which and how.
        Scribble = "scribble",
        /// A second processor changes a word of a shared page to and fro, up to 4096 times; the value is as above.
        Race = "race",
        /// What the header in front of a frame says of checksums and segments.
        Offload = "offload",
        /// The generation of the device configuration changes at each look from now on, 2 to the value times.
        Restless = "restless",
        /// The device status is the value from now on, whatever the driver does.
        Stuck = "stuck",
        /// A message about a port says something else; of interrupts, a message that no device sent. The value says
        /// which and how.
        Message = "message",
        /// Messages about ports that are not due; the value says which and how many.
        ExtraMessage = "extra-message",
        /// By which vector an interrupt is sent, as the register says.
        VectorRegister = "vector-register",
        /// An interrupt is sent as another message; the value says of which device and which event.
        Vector = "vector",
        /// A message that no device sent, a thousand times.
        Flood = "flood",
        /// The interrupt of a timer before it is due.
        Early = "early",
        /// Registers of the distributor.
        Distributor = "distributor",
        /// Registers of a redistributor.
        Redistributor = "redistributor",
        /// Registers of the interrupt translation service.
        Translation = "translation",
        /// How far the host lets a change of the state of memory come, from now on: nowhere, a page, a block, or it
        /// refuses; the value says which.
        Progress = "progress",
    }
}

/// Who lies about what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Who.
    pub part: Part,
    /// Which of several of a kind, from 0.
    pub unit: u8,
    /// About what.
    pub point: Point,
}

impl Place {
    /// The only one of its kind.
    #[must_use]
    pub const fn of(part: Part, point: Point) -> Self {
        Self {
            part,
            unit: 0,
            point,
        }
    }

    /// The same with another unit.
    #[must_use]
    pub const fn unit(self, unit: u8) -> Self {
        Self { unit, ..self }
    }

    /// A number for this place, different from all others.
    #[must_use]
    pub const fn number(self) -> u64 {
        (self.part as u64) << 16 | (self.unit as u64) << 8 | self.point as u64
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.part.name())?;
        if self.unit != 0 {
            write!(f, "{}", self.unit)?;
        }
        write!(f, ".{}", self.point.name())
    }
}

/// The text names no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoPlace;

impl fmt::Display for NoPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "no such place; a place is PART.POINT, such as disk.used-length or disk1.status",
        )
    }
}

impl core::error::Error for NoPlace {}

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let (part, point) = text.split_once('.').ok_or(NoPlace)?;
        let name = part.trim_end_matches(|c: char| c.is_ascii_digit());
        let unit = match part.strip_prefix(name).unwrap_or_default() {
            "" => 0,
            digits => digits.parse().map_err(|_| NoPlace)?,
        };
        Ok(Self {
            part: Part::named(name).ok_or(NoPlace)?,
            unit,
            point: Point::named(point).ok_or(NoPlace)?,
        })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;

    #[test]
    fn a_place_is_what_its_text_says() {
        let place = Place {
            part: Part::Disk,
            unit: 1,
            point: Point::UsedLength,
        };
        assert_eq!(place.to_string(), "disk1.used-length");
        assert_eq!("disk1.used-length".parse(), Ok(place));
        assert_eq!("card.isr".parse(), Ok(Place::of(Part::Card, Point::Isr)));
        for text in ["disk", "disk.", "disc.isr", "disk999.isr", "disk.isr2"] {
            assert_eq!(text.parse::<Place>(), Err(NoPlace), "{text}");
        }
    }

    #[test]
    fn every_place_reads_back() {
        for part in Part::ALL {
            for point in Point::ALL {
                let place = Place::of(*part, *point);
                assert_eq!(place.to_string().parse(), Ok(place));
            }
        }
    }
}
