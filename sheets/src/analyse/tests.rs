//! Figures with stated right answers, pictures and sentences of small tables, and what must hold for any column.

mod drawn;
mod figures;
mod told;
