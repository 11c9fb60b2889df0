//! Pixels to a PNG file.

use crate::charts::ChartError;

/// Halves a picture of RGB rows of `width` pixels each way; both sides must be even.
pub(super) fn halve(pixels: &[u8], width: usize) -> Vec<u8> {
    let row = width * 3;
    let mut halved = Vec::with_capacity(pixels.len() / 4);
    for rows in pixels.chunks_exact(row * 2) {
        let (upper, lower) = rows.split_at(row);
        for (a, b) in upper.chunks_exact(6).zip(lower.chunks_exact(6)) {
            let mean = |c: usize| ((u16::from(a[c]) + u16::from(a[c + 3]) + u16::from(b[c]) + u16::from(b[c + 3])) / 4) as u8;
            halved.extend([mean(0), mean(1), mean(2)]);
        }
    }
    halved
}

/// Encodes RGB rows.
pub(super) fn png(pixels: &[u8], width: u32, height: u32) -> Result<Vec<u8>, ChartError> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(ChartError::Encode)?;
    writer.write_image_data(pixels).map_err(ChartError::Encode)?;
    writer.finish().map_err(ChartError::Encode)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_pixels_become_one() {
        let white = [255, 255, 255];
        let black = [0, 0, 0];
        let pixels = [white, black, white, white, black, black, white, white].concat();
        assert_eq!(halve(&pixels, 4), [63, 63, 63, 255, 255, 255]);
    }
}
