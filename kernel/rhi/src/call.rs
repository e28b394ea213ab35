//! What the calls are named and how they end.

use core::fmt;

/// The calls that we make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Which version of the device services the host has.
    Version,
    /// Which of the calls it has.
    Features,
    /// How large an object is.
    ObjectSize,
    /// Copies an object to shared memory.
    ObjectRead,
    /// Goes on with what takes long.
    Continue,
    /// Has the device measured.
    GetMeasurements,
    /// Has the device report its registers.
    GetInterfaceReport,
    /// Asks for another state of the device.
    SetTdiState,
    /// Gives up what takes too long.
    Abort,
}

impl Call {
    /// The number in the first register.
    pub const fn function(self) -> u64 {
        match self {
            Self::Version => 0xc500_004a,
            Self::Features => 0xc500_004b,
            Self::ObjectSize => 0xc500_004c,
            Self::ObjectRead => 0xc500_004d,
            Self::Continue => 0xc500_0051,
            Self::GetMeasurements => 0xc500_0052,
            Self::GetInterfaceReport => 0xc500_0053,
            Self::SetTdiState => 0xc500_0054,
            Self::Abort => 0xc500_0056,
        }
    }

    /// The name that the interface has for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Version => "RHI_DA_VERSION",
            Self::Features => "RHI_DA_FEATURES",
            Self::ObjectSize => "RHI_DA_OBJECT_SIZE",
            Self::ObjectRead => "RHI_DA_OBJECT_READ",
            Self::Continue => "RHI_DA_VDEV_CONTINUE",
            Self::GetMeasurements => "RHI_DA_VDEV_GET_MEASUREMENTS",
            Self::GetInterfaceReport => "RHI_DA_VDEV_GET_INTERFACE_REPORT",
            Self::SetTdiState => "RHI_DA_VDEV_SET_TDI_STATE",
            Self::Abort => "RHI_DA_VDEV_ABORT",
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How the host says that a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// 0: done.
    Success,
    /// 1: not done yet; go on with [`Call::Continue`].
    Incomplete,
    /// 2: there is no such data yet.
    NoData,
    /// 3: the host does not know the device.
    Device,
    /// 4: the host does not know the object, or the state.
    Object,
    /// 5: an argument is wrong.
    Input,
    /// 6: the device failed, or did not do it.
    DeviceFailed,
    /// 7: it does not fit at this offset.
    Offset,
    /// 8: the host cannot reach the memory.
    Access,
    /// 9: something else is going on; make the call again.
    Busy,
    /// 10: there was nothing to give up any more.
    Completed,
    /// 11: the host does not have this kind of object.
    Unsupported,
    /// -1: the host does not have the call.
    NotImplemented,
    /// A number that we know nothing about.
    Other(u64),
}

impl Status {
    /// Takes the number in the first register.
    pub const fn from_code(code: u64) -> Self {
        match code {
            0 => Self::Success,
            1 => Self::Incomplete,
            2 => Self::NoData,
            3 => Self::Device,
            4 => Self::Object,
            5 => Self::Input,
            6 => Self::DeviceFailed,
            7 => Self::Offset,
            8 => Self::Access,
            9 => Self::Busy,
            10 => Self::Completed,
            11 => Self::Unsupported,
            u64::MAX => Self::NotImplemented,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Success => "success",
            Self::Incomplete => "incomplete",
            Self::NoData => "no data",
            Self::Device => "unknown device",
            Self::Object => "unknown object",
            Self::Input => "wrong input",
            Self::DeviceFailed => "the device failed",
            Self::Offset => "wrong offset",
            Self::Access => "memory out of reach",
            Self::Busy => "busy",
            Self::Completed => "nothing to give up",
            Self::Unsupported => "unsupported object",
            Self::NotImplemented => "not implemented",
            Self::Other(code) => return write!(f, "unheard-of status {code:#x}"),
        };
        f.write_str(text)
    }
}
