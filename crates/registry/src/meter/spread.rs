//! How long something takes, in classes.

use std::time::Duration;

/// The upper bounds of the classes, in seconds; what takes longer is in one more.
pub(super) const BOUNDS: [f64; 11] =
    [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0];

/// How often something took how long.
#[derive(Debug, Clone, Default)]
pub(super) struct Spread {
    classes: [u64; BOUNDS.len()],
    count: u64,
    sum: f64,
}

impl Spread {
    pub(super) fn add(&mut self, time: Duration) {
        let seconds = time.as_secs_f64();
        if let Some(class) = BOUNDS.iter().position(|bound| seconds <= *bound) {
            self.classes[class] += 1;
        }
        self.count += 1;
        self.sum += seconds;
    }

    /// How many took no longer than each bound.
    pub(super) fn within(&self) -> impl Iterator<Item = (f64, u64)> {
        let mut sum = 0;
        BOUNDS.into_iter().zip(self.classes).map(move |(bound, count)| {
            sum += count;
            (bound, sum)
        })
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn sum(&self) -> f64 {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Spread;

    #[test]
    fn classes_hold_what_is_below_their_bound() {
        let mut spread = Spread::default();
        for millis in [0, 1, 2, 70, 400_000] {
            spread.add(Duration::from_millis(millis));
        }
        let within: Vec<u64> = spread.within().map(|(_, count)| count).collect();
        assert_eq!(within, [2, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4]);
        assert_eq!((spread.count(), spread.sum()), (5, 400.073));
    }
}
