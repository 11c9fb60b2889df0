//! The embedded font: registered once, measured here, drawn by the backends. No font of the machine is used.

use std::sync::OnceLock;

use plotters::style::{FontDesc, FontFamily, FontStyle, register_font};

use crate::charts::ChartError;

static FILE: &[u8] = include_bytes!("../../../fonts/NanumSquareR.ttf");

/// The family as SVG names it: the font is not in the document, so its kin follow. The same text is its name in plotters' register.
pub(super) const FAMILY: &str =
    "NanumSquare, 'Nanum Gothic', 'Apple SD Gothic Neo', 'Malgun Gothic', 'Noto Sans KR', 'Noto Sans CJK KR', sans-serif";

/// Height of the font over its em (850 + 255 of 1,000): plotters sizes bitmap text by height.
pub(super) const HEIGHT_PER_EM: f64 = 1.105;

/// Measured at this em, as plotters counts whole pixels.
const MEASURED_AT: f64 = 1000.0;

/// Measures text.
pub(super) struct Font {
    large: FontDesc<'static>,
}

impl Font {
    /// Registers the font at the first call.
    pub(super) fn load() -> Result<Self, ChartError> {
        static REGISTERED: OnceLock<bool> = OnceLock::new();
        if !REGISTERED.get_or_init(|| register_font(FAMILY, FontStyle::Normal, FILE).is_ok()) {
            return Err(ChartError::Font);
        }
        Ok(Self { large: sized(MEASURED_AT * HEIGHT_PER_EM) })
    }

    /// How wide the text is at this em, in the em's unit.
    pub(super) fn width(&self, text: &str, em: f64) -> f64 {
        match self.large.layout_box(text) {
            Ok(((left, _), (right, _))) => f64::from(right - left) * em / MEASURED_AT,
            Err(_) => text.chars().count() as f64 * em,
        }
    }

    /// The text, or as much of its beginning as fits, with an ellipsis; empty if not even that fits.
    pub(super) fn fit(&self, text: &str, em: f64, width: f64) -> String {
        if self.width(text, em) <= width {
            return text.to_owned();
        }
        let mut left = width - self.width("…", em);
        let mut kept = String::new();
        let mut buffer = [0; 4];
        for c in text.chars() {
            left -= self.width(c.encode_utf8(&mut buffer), em);
            if left < 0.0 {
                break;
            }
            kept.push(c);
        }
        if kept.is_empty() {
            return if width >= self.width("…", em) { "…".to_owned() } else { String::new() };
        }
        kept.truncate(kept.trim_end().len());
        kept.push('…');
        kept
    }
}

/// The font at a size of plotters' counting.
pub(super) fn sized(size: f64) -> FontDesc<'static> {
    FontDesc::new(FontFamily::Name(FAMILY), size, FontStyle::Normal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_font_knows_hangul_and_fits_it() {
        let font = Font::load().expect("the embedded font loads");
        let two = font.width("매출", 10.0);
        assert!((15.0..=20.0).contains(&two), "two full-width characters take about two ems, not {two}");
        assert_eq!(font.fit("매출", 10.0, 100.0), "매출");
        let cut = font.fit(&"매출".repeat(50), 10.0, 100.0);
        assert!(cut.ends_with('…') && font.width(&cut, 10.0) <= 101.0, "{cut}");
        assert_eq!(font.fit("매출", 10.0, 1.0), "");
        assert_eq!(font.width("", 10.0), 0.0);
    }
}
