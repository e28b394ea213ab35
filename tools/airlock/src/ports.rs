//! The console device, and its ports: streams between the guest and something on this host.

use anyhow::{Result, ensure};
use std::str::FromStr;

use crate::qemu::escaped_text;
use crate::verdict::WrongArguments;

/// Most named ports that a guest uses.
const MOST: usize = 7;
/// Most bytes of a name.
const MOST_NAME: usize = 64;
/// The character device that the console and some ports have together.
const TERMINAL: &str = "terminal";

/// A named port of the guest, and where it leads on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    name: String,
    end: End,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    /// A file that is written anew.
    File(String),
    /// A socket of this host that QEMU listens at.
    Unix(String),
    /// A port of loopback that QEMU listens at.
    Tcp(u16),
    /// Among the lines of the console.
    Stdio,
}

impl FromStr for Port {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is not NAME=file:PATH, NAME=unix:PATH, NAME=tcp:PORT or NAME=stdio; a name is up to \
                 {MOST_NAME} letters, digits and signs other than a comma"
            )
        };
        let (name, end) = text.split_once('=').ok_or_else(wrong)?;
        let good = |byte: u8| byte.is_ascii_graphic() && byte != b',';
        if name.is_empty() || name.len() > MOST_NAME || !name.bytes().all(good) {
            return Err(wrong());
        }
        let end = match end.split_once(':') {
            Some(("file", path)) if !path.is_empty() => End::File(path.to_owned()),
            Some(("unix", path)) if !path.is_empty() => End::Unix(path.to_owned()),
            Some(("tcp", port)) => match port.parse() {
                Ok(port) if port != 0 => End::Tcp(port),
                _ => return Err(wrong()),
            },
            None if end == "stdio" => End::Stdio,
            _ => return Err(wrong()),
        };
        let name = name.to_owned();
        Ok(Self { name, end })
    }
}

/// What a guest has beside its serial port.
#[derive(Clone, Debug, Default)]
pub struct Ports {
    /// Whether there is a console device, for `console=hvc0`.
    pub console: bool,
    /// Named ports.
    pub named: Vec<Port>,
}

impl Ports {
    /// Checks what QEMU or the guest would fail on.
    ///
    /// # Errors
    /// A sentence that says what is possible.
    pub fn check(&self) -> Result<()> {
        ensure!(
            self.named.len() <= MOST,
            WrongArguments(format!("--port can be given {MOST} times at most"))
        );
        let twice = |(at, port): (usize, &Port)| {
            let before = self.named.iter().take(at);
            before.into_iter().any(|other| other.name == port.name)
        };
        ensure!(
            !self.named.iter().enumerate().any(twice),
            WrongArguments("each --port needs a name of its own".to_owned())
        );
        Ok(())
    }

    /// Where the serial port of the guest goes.
    #[must_use]
    pub fn serial(&self) -> &'static str {
        if self.shares_terminal() {
            "chardev:terminal"
        } else {
            "stdio"
        }
    }

    fn shares_terminal(&self) -> bool {
        self.console || self.named.iter().any(|port| port.end == End::Stdio)
    }

    /// Character devices that have to be there before the serial port.
    #[must_use]
    pub fn character_devices(&self) -> Vec<String> {
        let terminal = self
            .shares_terminal()
            .then(|| format!("stdio,id={TERMINAL},mux=on,signal=off"));
        let named = self.named.iter().enumerate();
        let named = named.filter_map(|(number, port)| port.character_device(number));
        terminal.into_iter().chain(named).collect()
    }

    /// The devices, each as QEMU's -device takes it. `platform` is what devices of this machine need.
    #[must_use]
    pub fn devices(&self, platform: &str) -> Vec<String> {
        if !self.console && self.named.is_empty() {
            return Vec::new();
        }
        // With one port there are no messages about ports, and so fewer queues to set up.
        let most = self.named.len() + 1;
        // A doorbell is heard at once, by the processor that rings it: what the guest prints by its console and then by
        // its serial port comes in that order. QEMU's main loop would write a line of one into a line of the other.
        let order = if self.shares_terminal() {
            ",ioeventfd=off"
        } else {
            ""
        };
        let bus = format!(
            "virtio-serial-pci,id=ports,max_ports={most}{order},disable-legacy=on{platform}"
        );
        let console = format!("virtconsole,bus=ports.0,nr=0,chardev={TERMINAL}");
        let console = self.console.then_some(console);
        let named = self.named.iter().enumerate().map(|(number, port)| {
            let Port { name, end } = port;
            let chardev = match end {
                End::Stdio => TERMINAL.to_owned(),
                _ => format!("port{number}"),
            };
            let nr = number + 1;
            format!("virtserialport,bus=ports.0,nr={nr},name={name},chardev={chardev}")
        });
        [bus].into_iter().chain(console).chain(named).collect()
    }
}

impl Port {
    /// The port `name`, all of which is written to a file.
    #[must_use]
    pub fn to_file(name: &str, path: &str) -> Self {
        Self {
            name: name.to_owned(),
            end: End::File(path.to_owned()),
        }
    }

    fn character_device(&self, number: usize) -> Option<String> {
        Some(match &self.end {
            End::File(path) => format!("file,id=port{number},path={}", escaped_text(path)),
            End::Unix(path) => {
                let path = escaped_text(path);
                format!("socket,id=port{number},path={path},server=on,wait=off")
            }
            End::Tcp(port) => {
                format!("socket,id=port{number},host=127.0.0.1,port={port},server=on,wait=off")
            }
            End::Stdio => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(console: bool, named: &[&str]) -> Ports {
        let named = named.iter().map(|port| port.parse().unwrap()).collect();
        Ports { console, named }
    }

    #[test]
    fn a_machine_without_ports_has_no_console_device() {
        let none = ports(false, &[]);
        assert!(none.devices("").is_empty() && none.character_devices().is_empty());
        assert_eq!(none.serial(), "stdio");
    }

    #[test]
    fn a_console_alone_has_one_port_and_the_terminal_of_the_serial_port() {
        let console = ports(true, &[]);
        let devices = console.devices(",iommu_platform=on");
        assert!(
            devices[0].contains("max_ports=1,ioeventfd=off,disable-legacy=on,iommu_platform=on")
        );
        assert_eq!(devices[1], "virtconsole,bus=ports.0,nr=0,chardev=terminal");
        assert_eq!(console.serial(), "chardev:terminal");
    }

    #[test]
    fn what_shares_the_terminal_is_printed_in_order_and_the_rest_does_not_wait() {
        for (port, shares) in [("a=stdio", true), ("a=tcp:7000", false)] {
            let devices = ports(false, &[port]).devices("");
            assert_eq!(devices[0].contains("ioeventfd=off"), shares, "{port}");
        }
    }

    #[test]
    fn each_port_leads_where_it_is_said_to() {
        let all = ports(false, &["a=file:x,y", "b=unix:/s", "c=tcp:7000", "d=stdio"]);
        let character = all.character_devices();
        assert_eq!(character[1], "file,id=port0,path=x,,y");
        assert_eq!(character[2], "socket,id=port1,path=/s,server=on,wait=off");
        assert!(character[3].contains("host=127.0.0.1,port=7000"));
        let devices = all.devices("");
        assert!(devices[0].contains("max_ports=5"));
        let last = "virtserialport,bus=ports.0,nr=4,name=d,chardev=terminal";
        assert_eq!(devices[4], last);
    }

    #[test]
    fn what_is_no_port_is_told() {
        for wrong in [
            "",
            "a",
            "a=",
            "=stdio",
            "a,b=stdio",
            "a=tcp:0",
            "a=file:",
            "a=pipe:x",
        ] {
            let error = wrong.parse::<Port>().unwrap_err();
            assert!(error.contains("NAME=file:PATH"), "{error}");
        }
        assert!(ports(false, &["a=stdio", "a=tcp:1"]).check().is_err());
        assert!(ports(false, &["a=stdio"; 8]).check().is_err());
    }
}
