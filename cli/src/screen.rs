//! The terminal: lines, colours where they are wanted, and one live line that shows what is being done.

use std::{
    env,
    io::{self, IsTerminal, Write},
    os::fd::AsFd,
    time::Duration,
};

use rustix::termios::tcgetwinsize;

use crate::text::clip;

const SPINNER: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const DEFAULT_WIDTH: usize = 100;

/// How a piece of text stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Headings.
    Bold,
    /// What matters less.
    Dim,
    /// Good news.
    Green,
    /// Bad news.
    Red,
    /// Statements.
    Cyan,
}

/// Where the program's output goes.
pub struct Screen {
    out: Box<dyn Write>,
    live: bool,
    colour: bool,
    quiet: bool,
    lists_stages: bool,
    width: usize,
    is_width_said: bool,
    frame: usize,
    drawn: bool,
}

impl Screen {
    /// Standard output: live and in colours if it is a terminal, plain lines if not.
    pub fn stdout() -> Self {
        Self::on(&io::stdout(), Box::new(io::stdout()))
    }

    /// Standard error, for what is no data.
    pub fn stderr() -> Self {
        Self::on(&io::stderr(), Box::new(Unheard(io::stderr())))
    }

    fn on(place: &(impl IsTerminal + AsFd), out: Box<dyn Write>) -> Self {
        // One that obeys nothing is as good as a file.
        let live = place.is_terminal() && env::var_os("TERM").is_none_or(|name| name != "dumb");
        let no_colour = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let own_width = || tcgetwinsize(place).ok().filter(|size| live && size.ws_col > 0).map(|size| size.ws_col.to_string());
        let columns = env::var("COLUMNS").ok().or_else(own_width);
        Self::new(out, live, live && !no_colour, columns.as_deref())
    }

    /// Whether it is a terminal.
    pub fn is_live(&self) -> bool {
        self.live
    }

    fn new(out: Box<dyn Write>, live: bool, colour: bool, columns: Option<&str>) -> Self {
        let width = columns.and_then(|text| text.trim().parse::<usize>().ok()).map_or(DEFAULT_WIDTH, |columns| columns.clamp(40, 400));
        let is_width_said = columns.is_some();
        Self { out, live, colour, quiet: false, lists_stages: false, width, is_width_said, frame: 0, drawn: false }
    }

    /// Shows no progress from here on: what is printed is for a program.
    pub fn hide_progress(&mut self) {
        self.quiet = true;
    }

    /// Lists the stages of each question in a line from here on.
    pub fn list_stages(&mut self) {
        self.lists_stages = true;
    }

    /// The same where no live line shows them.
    pub fn list_stages_unless_live(&mut self) {
        self.lists_stages |= !self.live;
    }

    /// The stages that a question went through, in a line, where they are listed.
    pub fn stages(&mut self, stages: &[&str]) -> io::Result<()> {
        if !self.lists_stages || self.quiet || stages.is_empty() {
            return Ok(());
        }
        let text = self.paint(Style::Dim, &format!("stages: {}", stages.join(" → ")));
        self.line(&format!("  {text}"))
    }

    /// Columns of a line of a list: nothing is cut where no terminal is, unless a width is said.
    pub fn list_width(&self) -> usize {
        if self.live || self.is_width_said { self.width } else { usize::MAX }
    }

    /// Terminal columns of a line.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Prints a line. The text must be [printable](crate::text::printable) already.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        self.clear()?;
        writeln!(self.out, "{text}")?;
        self.out.flush()
    }

    /// The text in a style, where there are colours.
    pub fn paint(&self, style: Style, text: &str) -> String {
        if !self.colour {
            return text.to_owned();
        }
        let code = match style {
            Style::Bold => 1,
            Style::Dim => 2,
            Style::Green => 32,
            Style::Red => 31,
            Style::Cyan => 36,
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// Moves the live line on; does nothing where there is none.
    pub fn tick(&mut self, stage: &str, elapsed: Duration) -> io::Result<()> {
        if !self.live || self.quiet {
            return Ok(());
        }
        self.frame = (self.frame + 1) % SPINNER.len();
        // A line that breaks could not be taken away.
        let text = self.paint(Style::Dim, &clip(&progress(stage, elapsed), self.width - 3));
        write!(self.out, "\r\u{1b}[2K{} {text}", SPINNER[self.frame])?;
        self.drawn = true;
        self.out.flush()
    }

    /// Draws a live line of the caller's own; does nothing where there is none.
    pub fn draw(&mut self, text: &str) -> io::Result<()> {
        if !self.live || self.quiet {
            return Ok(());
        }
        write!(self.out, "\r\u{1b}[2K{}", clip(text, self.width - 1))?;
        self.drawn = true;
        self.out.flush()
    }

    /// Takes the live line away.
    pub fn clear(&mut self) -> io::Result<()> {
        if !std::mem::take(&mut self.drawn) {
            return Ok(());
        }
        write!(self.out, "\r\u{1b}[2K")?;
        self.out.flush()
    }
}

/// Where one talks to whoever listens: that nobody does keeps nothing from being done.
struct Unheard<W>(W);

impl<W: Write> Write for Unheard<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Ok(bytes.len()),
            done => done,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = self.0.flush();
        Ok(())
    }
}

fn progress(stage: &str, elapsed: Duration) -> String {
    format!("{stage}… {:.1} s", elapsed.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc};

    use super::*;

    #[derive(Clone, Default)]
    struct Paper(Rc<RefCell<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn drawn(live: bool, colour: bool, draw: impl FnOnce(&mut Screen) -> io::Result<()>) -> String {
        let paper = Paper::default();
        let mut screen = Screen::new(Box::new(paper.clone()), live, colour, None);
        draw(&mut screen).expect("paper takes everything");
        let bytes = paper.0.borrow().clone();
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn a_terminal_gets_one_live_line_that_goes_away() {
        let text = drawn(true, false, |screen| {
            screen.list_stages_unless_live();
            screen.tick("drafting", Duration::from_millis(420))?;
            screen.stages(&["drafting"])?;
            screen.line("done")
        });
        assert_eq!(text, "\r\u{1b}[2K⠙ drafting… 0.4 s\r\u{1b}[2Kdone\n");
    }

    #[test]
    fn talk_that_nobody_hears_is_no_error() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }
        let mut data = Screen::new(Box::new(Closed), true, false, None);
        assert!(data.line("4,500 of 10,000").is_err());
        let mut talk = Screen::new(Box::new(Unheard(Closed)), true, false, None);
        let said = talk.line("4,500 of 10,000").and_then(|()| talk.draw("░")).and_then(|()| talk.clear());
        assert!(said.is_ok(), "{said:?}");
    }

    #[test]
    fn a_file_gets_plain_lines_and_no_ticks() {
        let text = drawn(false, false, |screen| {
            screen.stages(&["linking"])?;
            screen.list_stages_unless_live();
            screen.stages(&["linking", "drafting"])?;
            screen.tick("drafting", Duration::from_millis(1300))?;
            let painted = screen.paint(Style::Green, "done");
            screen.line(&painted)
        });
        assert_eq!(text, "  stages: linking → drafting\ndone\n");
    }

    #[test]
    fn programs_get_no_progress() {
        for live in [true, false] {
            let text = drawn(live, false, |screen| {
                screen.hide_progress();
                screen.list_stages();
                screen.stages(&["drafting"])?;
                screen.tick("drafting", Duration::ZERO)?;
                screen.line("{}")
            });
            assert_eq!(text, "{}\n");
        }
    }

    #[test]
    fn colours_end_where_they_began() {
        let text = drawn(true, true, |screen| {
            let painted = screen.paint(Style::Red, "no");
            screen.line(&painted)
        });
        assert_eq!(text, "\u{1b}[31mno\u{1b}[0m\n");
    }

    #[test]
    fn the_width_is_what_columns_says_within_reason() {
        let width = |columns| Screen::new(Box::new(io::sink()), false, false, columns).width();
        assert_eq!([width(None), width(Some("80")), width(Some("1")), width(Some("wide"))], [100, 80, 40, 100]);
        let of_list = |live, columns| Screen::new(Box::new(io::sink()), live, false, columns).list_width();
        assert_eq!([of_list(true, None), of_list(false, Some("80")), of_list(false, None)], [100, 80, usize::MAX]);
    }
}
