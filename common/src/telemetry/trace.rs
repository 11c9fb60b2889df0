//! W3C Trace Context, carried from the request through the job to the worker's spans.

use std::{fmt, str::FromStr};

use tracing::{Span, field::display};

use super::otlp;

const TRACE: std::ops::Range<usize> = 3..35;
const SPAN: std::ops::Range<usize> = 36..52;
const FLAGS: std::ops::Range<usize> = 53..55;
const LENGTH: usize = 55;
const SAMPLED: u8 = 0x01;

/// Where in a trace something happens. `Display` is the header `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// Of the whole trace; not all zero.
    pub trace_id: [u8; 16],
    /// Of this step, the parent of the next; not all zero.
    pub span_id: [u8; 8],
    /// Bit 0: sampled. Other bits are not passed on.
    pub flags: u8,
}

impl TraceContext {
    /// Reads a `traceparent` header: version 00, or a later one that starts like it. None if it is not valid: then a new trace begins.
    #[must_use]
    pub fn parse(header: &str) -> Option<Self> {
        let bytes = header.as_bytes();
        let known = bytes.get(..LENGTH)?;
        let separators = [2, 35, 52];
        let well_formed = known.iter().enumerate().all(|(index, byte)| {
            if separators.contains(&index) { *byte == b'-' } else { byte.is_ascii_digit() || (b'a'..=b'f').contains(byte) }
        });
        let right_end = match &known[..2] {
            b"ff" => false,
            b"00" => bytes.len() == LENGTH,
            _ => bytes.get(LENGTH).is_none_or(|byte| *byte == b'-'),
        };
        if !well_formed || !right_end {
            return None;
        }
        let mut context = Self { trace_id: [0; 16], span_id: [0; 8], flags: 0 };
        let mut flags = [0];
        hex::decode_to_slice(&known[TRACE], &mut context.trace_id).ok()?;
        hex::decode_to_slice(&known[SPAN], &mut context.span_id).ok()?;
        hex::decode_to_slice(&known[FLAGS], &mut flags).ok()?;
        context.flags = flags[0] & SAMPLED;
        (context.trace_id != [0; 16] && context.span_id != [0; 8]).then_some(context)
    }

    /// The start of a new trace.
    #[must_use]
    pub fn new_random() -> Self {
        Self { trace_id: random_id(), span_id: random_id(), flags: SAMPLED }
    }

    /// The next step of the same trace.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { span_id: random_id(), ..*self }
    }

    /// The header `traceparent`.
    #[must_use]
    pub fn render(&self) -> String {
        self.to_string()
    }

    /// The trace's id as 32 hex digits, as log lines show it.
    #[must_use]
    pub fn trace_id_hex(&self) -> String {
        hex::encode(self.trace_id)
    }

    /// Where a span is that follows a step of a trace (of a caller, of an earlier process) or, without one, begins a trace; recorded in it
    /// as [`record`](Self::record) does. To be called before the span is entered.
    #[must_use]
    pub fn begin(span: &Span, parent: Option<Self>) -> Self {
        if let Some(parent) = &parent {
            otlp::follow(span, parent);
        }
        let own = otlp::place(span).unwrap_or_else(|| parent.map_or_else(Self::new_random, |parent| parent.child()));
        own.record(span);
        own
    }

    /// Records `trace_id` in a span that was made with `trace_id = tracing::field::Empty`; from there it is in each line below it.
    pub fn record(&self, span: &Span) {
        span.record("trace_id", display(self.trace_id_hex()));
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", hex::encode(self.trace_id), hex::encode(self.span_id), self.flags & SAMPLED)
    }
}

/// The header is not a valid `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a traceparent")]
pub struct NotATraceparent;

impl FromStr for TraceContext {
    type Err = NotATraceparent;

    fn from_str(header: &str) -> Result<Self, NotATraceparent> {
        Self::parse(header).ok_or(NotATraceparent)
    }
}

/// Random bytes, the last of which is not zero, since an id of zeros is not valid.
fn random_id<const N: usize>() -> [u8; N] {
    let mut id = [0; N];
    rand::fill(&mut id[..]);
    if let Some(last) = id.last_mut() {
        *last = (*last).max(1);
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_header_is_read_and_written() {
        let context = TraceContext::parse(HEADER).expect("valid");
        assert_eq!(context.render(), HEADER);
        assert_eq!(context.trace_id_hex(), "0af7651916cd43dd8448eb211c80319c");
    }

    #[test]
    fn a_later_version_may_be_longer() {
        assert!(TraceContext::parse(&format!("cc{}", &HEADER[2..])).is_some());
        assert!(TraceContext::parse(&format!("cc{}-more", &HEADER[2..])).is_some());
        assert!(TraceContext::parse(&format!("cc{}more", &HEADER[2..])).is_none());
        assert!(TraceContext::parse(&format!("{HEADER}-more")).is_none());
    }

    #[test]
    fn what_is_not_valid_is_refused() {
        for header in [
            "",
            "00",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",
            "00-가af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(TraceContext::parse(header), None, "{header}");
        }
    }

    #[test]
    fn a_child_stays_in_its_trace() {
        let parent = TraceContext::new_random();
        let child = parent.child();
        assert_eq!(child.trace_id, parent.trace_id);
        assert_ne!(child.span_id, parent.span_id);
        assert_eq!(TraceContext::parse(&child.render()), Some(child));
        assert_ne!(TraceContext::new_random().trace_id, parent.trace_id);
    }
}
