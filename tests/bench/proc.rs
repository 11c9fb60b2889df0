//! What processes cost, from `/proc`: CPU time of whole process trees, and memory.

use std::collections::HashMap;

use anyhow::Context;
use serde::Serialize;
use tokio::time::Instant;

/// Linux tells times in hundredths of a second.
const TICKS: f64 = 100.0;

/// A process and its descendants.
#[derive(Clone, Debug)]
pub struct Tree {
    /// What it is called in the figures.
    pub name: &'static str,
    /// The process id of its root.
    pub root: u32,
}

/// What a tree of processes has cost.
#[derive(Clone, Debug, Serialize)]
pub struct Cost {
    /// Its name.
    pub name: &'static str,
    /// Seconds of one core.
    pub cpu_seconds: f64,
    /// The proportional set at the end: shared pages divided among those who share them. None: other users' processes may not be read.
    pub pss_mb: Option<f64>,
}

/// What all trees have cost over a while.
#[derive(Clone, Debug, Serialize)]
pub struct Costs {
    /// How long it was looked at.
    pub seconds: f64,
    /// Each tree, and the load generator with the model at the end.
    pub trees: Vec<Cost>,
}

impl Costs {
    /// CPU seconds of the trees with these names.
    pub fn cpu(&self, names: &[&str]) -> f64 {
        self.trees.iter().filter(|cost| names.contains(&cost.name)).map(|cost| cost.cpu_seconds).sum()
    }

    /// Memory of the trees with these names, in MB.
    pub fn pss(&self, names: &[&str]) -> f64 {
        self.trees.iter().filter(|cost| names.contains(&cost.name)).filter_map(|cost| cost.pss_mb).sum()
    }
}

/// A measurement that has begun.
pub struct Meter {
    trees: Vec<Tree>,
    before: Vec<f64>,
    own_before: f64,
    began: Instant,
}

impl Meter {
    /// Begins.
    pub fn start(trees: Vec<Tree>) -> anyhow::Result<Self> {
        let stats = stats();
        let before = trees.iter().map(|tree| cpu_seconds(&stats, tree)).collect::<anyhow::Result<_>>()?;
        Ok(Self { before, own_before: own_cpu(&stats), began: Instant::now(), trees })
    }

    /// Ends.
    pub fn finish(self) -> anyhow::Result<Costs> {
        let seconds = self.began.elapsed().as_secs_f64();
        let stats = stats();
        let mut trees = Vec::with_capacity(self.trees.len() + 1);
        for (tree, before) in self.trees.iter().zip(self.before) {
            let cpu_seconds = cpu_seconds(&stats, tree)? - before;
            trees.push(Cost { name: tree.name, cpu_seconds, pss_mb: pss(&stats, tree.root) });
        }
        trees.push(Cost { name: "bench", cpu_seconds: own_cpu(&stats) - self.own_before, pss_mb: pss_of(std::process::id()) });
        Ok(Costs { seconds, trees })
    }
}

/// One line of `/proc/PID/stat`.
struct Stat {
    parent: u32,
    own_ticks: f64,
    // Of children that have ended and were waited for.
    reaped_ticks: f64,
}

fn stats() -> HashMap<u32, Stat> {
    let folders = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = folders.filter_map(|folder| folder.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| Some((pid, stat(pid)?))).collect()
}

fn stat(pid: u32) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
    Some(Stat { parent: fields.get(1)?.parse().ok()?, own_ticks: ticks(11) + ticks(12), reaped_ticks: ticks(13) + ticks(14) })
}

fn members(stats: &HashMap<u32, Stat>, root: u32) -> Vec<u32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(stats.iter().filter(|(_, stat)| stat.parent == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    found
}

fn cpu_seconds(stats: &HashMap<u32, Stat>, tree: &Tree) -> anyhow::Result<f64> {
    stats.get(&tree.root).with_context(|| format!("{} has ended; see its log", tree.name))?;
    let ticks = members(stats, tree.root).into_iter().filter_map(|pid| stats.get(&pid)).map(|stat| stat.own_ticks + stat.reaped_ticks);
    Ok(ticks.sum::<f64>() / TICKS)
}

// Without children: those are what is measured.
fn own_cpu(stats: &HashMap<u32, Stat>) -> f64 {
    stats.get(&std::process::id()).map_or(0.0, |stat| stat.own_ticks / TICKS)
}

fn pss(stats: &HashMap<u32, Stat>, root: u32) -> Option<f64> {
    members(stats, root).into_iter().map(pss_of).sum()
}

/// The proportional set of a process and its descendants now, in MB; those that end meanwhile count nothing.
pub fn tree_mb(root: u32) -> f64 {
    members(&stats(), root).into_iter().filter_map(pss_of).sum()
}

/// The highest resident set of a process so far, in MB; `anew`: counted from now on, and so what it is now.
pub fn peak_mb(pid: u32, anew: bool) -> anyhow::Result<f64> {
    if anew {
        // Linux' word for setting the mark back.
        std::fs::write(format!("/proc/{pid}/clear_refs"), "5").context("the mark of a process' memory")?;
    }
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).context("a process has ended; see its log")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).context("a process has no memory")?;
    let kilobytes: f64 = line.split_whitespace().nth(1).context("a size")?.parse()?;
    Ok(kilobytes / 1024.0)
}

fn pss_of(pid: u32) -> Option<f64> {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = rollup.lines().find(|line| line.starts_with("Pss:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
}
