//! Which encoding a text file has, and its text as UTF-8.

use std::io::{self, Read};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Decoder, DecoderResult, EUC_KR, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

const CHUNK: usize = 64 * 1_024;
/// Text beyond ASCII that the detector is shown.
const SHOWN: usize = 1_048_576;
/// So many characters that are right for each one that is wrong, and the file is UTF-8 with errors.
const RIGHT_FOR_WRONG: u64 = 20;
const REPLACEMENT: &[u8] = "\u{FFFD}".as_bytes();

/// An encoding, and how many bytes its mark at the start of the file takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Found {
    pub(super) encoding: &'static Encoding,
    pub(super) mark: usize,
}

impl Found {
    /// What people call it.
    pub(super) fn name(&self) -> &'static str {
        if self.encoding == EUC_KR { "CP949 (EUC-KR)" } else { self.encoding.name() }
    }
}

/// Looks at a whole text: marks first, then the zeros of UTF-16, then whether it is UTF-8, then what its bytes are like.
pub(super) fn find(mut source: impl Read) -> io::Result<Found> {
    let mut chunk = vec![0; CHUNK];
    let count = read_full(&mut source, &mut chunk)?;
    chunk.truncate(count);
    if let Some((encoding, mark)) = Encoding::for_bom(&chunk) {
        return Ok(Found { encoding, mark });
    }
    if let Some(encoding) = wide(&chunk) {
        return Ok(Found { encoding, mark: 0 });
    }
    let mut seen = Seen::default();
    while !chunk.is_empty() {
        seen.chunk(&chunk);
        chunk.resize(CHUNK, 0);
        let count = read_full(&mut source, &mut chunk)?;
        chunk.truncate(count);
    }
    Ok(Found { encoding: seen.encoding(), mark: 0 })
}

fn read_full(source: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    let mut count = 0;
    while let Some(rest) = into.get_mut(count..).filter(|rest| !rest.is_empty()) {
        match source.read(rest) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

// UTF-16 without a mark: the digits, separators and ends of lines of a table have a zero beside them, always on the same side.
fn wide(head: &[u8]) -> Option<&'static Encoding> {
    let pairs = head.len() / 2;
    let zeros = |side: usize| head.iter().skip(side).step_by(2).filter(|byte| **byte == 0).count();
    let (first, second) = (zeros(0), zeros(1));
    let many = |zeros: usize| zeros * 5 >= pairs;
    let few = |zeros: usize| zeros * 50 <= pairs;
    match pairs {
        0 | 1 => None,
        _ if many(second) && few(first) => Some(UTF_16LE),
        _ if many(first) && few(second) => Some(UTF_16BE),
        _ => None,
    }
}

/// What was seen of a text in an encoding of bytes.
#[derive(Default)]
struct Seen {
    right: u64,
    wrong: u64,
    /// A character of UTF-8 that the last chunk began.
    begun: Vec<u8>,
    shown: Vec<u8>,
}

impl Seen {
    fn chunk(&mut self, chunk: &[u8]) {
        if chunk.is_ascii() && self.begun.is_empty() {
            return;
        }
        if self.shown.len() < SHOWN {
            self.shown.extend(chunk.iter().take(SHOWN - self.shown.len()));
        }
        let bytes = [std::mem::take(&mut self.begun).as_slice(), chunk].concat();
        for piece in bytes.utf8_chunks() {
            self.right += piece.valid().chars().filter(|found| !found.is_ascii()).count() as u64;
            let invalid = piece.invalid();
            let at_end = invalid.as_ptr_range().end == bytes.as_ptr_range().end;
            if at_end && std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none()) {
                self.begun = invalid.to_vec();
            } else {
                self.wrong += u64::from(!invalid.is_empty());
            }
        }
    }

    fn encoding(&self) -> &'static Encoding {
        let wrong = self.wrong + u64::from(!self.begun.is_empty());
        if wrong == 0 || self.right >= wrong * RIGHT_FOR_WRONG {
            return UTF_8;
        }
        // A short text that reads as Korean without a flaw is Korean: a detector needs more to be sure.
        if reads_as_korean(&self.shown) {
            return EUC_KR;
        }
        let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
        detector.feed(&self.shown, true);
        let guess = detector.guess(None, Utf8Detection::Deny);
        // It was not.
        if guess == UTF_8 { WINDOWS_1252 } else { guess }
    }
}

// Whether all of it is CP949, and nearly all beyond ASCII are the Hangul syllables of KS X 1001, which stand in a row of their own.
fn reads_as_korean(bytes: &[u8]) -> bool {
    let (text, _, flawed) = EUC_KR.decode(bytes);
    // The last character may have been cut.
    if flawed && EUC_KR.decode(bytes.get(..bytes.len().saturating_sub(1)).unwrap_or_default()).2 {
        return false;
    }
    let beyond = text.chars().filter(|found| !found.is_ascii());
    let (hangul, other) = beyond.fold((0_usize, 0_usize), |(hangul, other), found| {
        if ('가'..='힣').contains(&found) && is_common(found) { (hangul + 1, other) } else { (hangul, other + 1) }
    });
    // Latin letters with accents rarely stand in pairs, and hardly ever in pairs that are common syllables.
    hangul > 0 && hangul >= other * 4
}

// The 2,350 syllables of KS X 1001 are two bytes from B0A1 to C8FE.
fn is_common(syllable: char) -> bool {
    let mut buffer = [0; 4];
    let (bytes, _, _) = EUC_KR.encode(syllable.encode_utf8(&mut buffer));
    matches!(*bytes, [0xb0..=0xc8, 0xa1..=0xfe])
}

/// Turns a text into UTF-8 while it is read; what can't be decoded becomes U+FFFD and is counted. A buffer that is read into has room
/// for at least 16 bytes.
pub(super) struct Transcoder<R> {
    source: R,
    decoder: Decoder,
    input: Vec<u8>,
    from: usize,
    to: usize,
    ended: bool,
    finished: bool,
    /// Bytes that could not be decoded.
    malformed: u64,
}

impl<R: Read> Transcoder<R> {
    /// The mark at the start, if there is one, has been read already.
    pub(super) fn new(source: R, encoding: &'static Encoding) -> Self {
        let decoder = encoding.new_decoder_without_bom_handling();
        Self { source, decoder, input: vec![0; CHUNK], from: 0, to: 0, ended: false, finished: false, malformed: 0 }
    }

    /// Bytes so far that could not be decoded.
    pub(super) fn malformed(&self) -> u64 {
        self.malformed
    }
}

impl<R: Read> Read for Transcoder<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut written = 0;
        while written == 0 && !self.finished {
            if self.from == self.to && !self.ended {
                self.from = 0;
                self.to = self.source.read(&mut self.input)?;
                self.ended = self.to == 0;
            }
            let room = into.len() - REPLACEMENT.len();
            let input = self.input.get(self.from..self.to).unwrap_or_default();
            let (result, read, count) =
                self.decoder.decode_to_utf8_without_replacement(input, into.get_mut(..room).unwrap_or_default(), self.ended);
            self.from += read;
            written = count;
            match result {
                DecoderResult::Malformed(length, _) => {
                    self.malformed += u64::from(length);
                    if let Some(place) = into.get_mut(written..written + REPLACEMENT.len()) {
                        place.copy_from_slice(REPLACEMENT);
                    }
                    written += REPLACEMENT.len();
                }
                DecoderResult::InputEmpty => self.finished = self.ended,
                DecoderResult::OutputFull => {}
            }
        }
        Ok(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(bytes: &[u8]) -> &'static str {
        find(bytes).expect("a slice can be read").encoding.name()
    }

    fn utf_16(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(order).collect()
    }

    #[test]
    fn encodings_are_found_by_content() {
        let text = "이름,나이,도시\n김철수,30,서울\n이영희,28,부산\n";
        assert_eq!(found(text.as_bytes()), "UTF-8");
        assert_eq!(found(b"name,age\nKim,30\n"), "UTF-8");
        assert_eq!(find(format!("\u{FEFF}{text}").as_bytes()).expect("a slice can be read"), Found { encoding: UTF_8, mark: 3 });
        assert_eq!(found(&EUC_KR.encode(text).0), "EUC-KR");
        assert_eq!(found(&EUC_KR.encode("품목,값\n커피,3\n").0), "EUC-KR");
        assert_eq!(found(&utf_16(text, u16::to_le_bytes)), "UTF-16LE");
        assert_eq!(found(&utf_16(text, u16::to_be_bytes)), "UTF-16BE");
        assert_eq!(found(&utf_16(&format!("\u{FEFF}{text}"), u16::to_be_bytes)), "UTF-16BE");
        assert_eq!(found(&WINDOWS_1252.encode("Café,Größe,Señor\nMünchen,1,2\nÅrhus,3,4\n").0), "windows-1252");
        assert_eq!(found(&encoding_rs::SHIFT_JIS.encode("名前,年齢,都市\n山田太郎,30,東京\nさくら,28,おおさか\n").0), "Shift_JIS");
    }

    #[test]
    fn what_stands_late_in_a_file_counts() {
        let mut bytes = b"a,b\n".repeat(50_000);
        bytes.extend(EUC_KR.encode("한글은 여기에만 있습니다,1\n").0.iter());
        assert_eq!(found(&bytes), "EUC-KR");
        let mut bytes = "가나다,1\n".repeat(20_000).into_bytes();
        bytes.push(0xff);
        assert_eq!(found(&bytes), "UTF-8", "one wrong byte does not change what the rest is");
    }

    #[test]
    fn what_can_not_be_decoded_is_counted() {
        let mut reader = Transcoder::new([b'a', 0xff, b'b', 0xc3].as_slice(), UTF_8);
        let mut text = Vec::new();
        let mut buffer = [0; 64];
        loop {
            match reader.read(&mut buffer).expect("a slice can be read") {
                0 => break,
                count => text.extend_from_slice(&buffer[..count]),
            }
        }
        assert_eq!((String::from_utf8(text).expect("UTF-8"), reader.malformed()), ("a\u{FFFD}b\u{FFFD}".to_owned(), 2));
    }
}
