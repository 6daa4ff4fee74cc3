//! Processor time of the server, as the kernel counts it.

use anyhow::{Context as _, Result};

/// Ticks of `/proc/PID/stat` in a second: USER_HZ, which Linux promises to programs whatever its own timer does.
const TICKS_PER_SECOND: f64 = 100.0;

/// Seconds of processor time that these processes have used so far, if there are any.
///
/// # Errors
/// When there is no such process, or no such file system.
pub(crate) fn seconds_of_all(pids: &[u32]) -> Result<Option<f64>> {
    let sum = pids.iter().map(|pid| seconds(*pid)).sum::<Result<f64>>()?;
    Ok((!pids.is_empty()).then_some(sum))
}

/// The seconds of one, in user and in system mode.
fn seconds(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/stat");
    let stat = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    parse(&stat).with_context(|| format!("{path} is not as expected: {stat}"))
}

fn parse(stat: &str) -> Option<f64> {
    // The program's name may hold anything, blanks and brackets too, but what follows its last bracket may not.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut times = fields.split(' ').skip(11).map(str::parse::<u64>);
    let ticks = times.next()?.ok()? + times.next()?.ok()?;
    Some(ticks as f64 / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn user_and_system_time_are_added_whatever_the_program_is_called() {
        let stat = "42 (a) b (c)) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 7 7 20 0 1 0 100 0 0";
        assert_eq!(parse(stat), Some(3.0));
        assert_eq!(parse("42 (skald) S 1"), None);
    }
}
