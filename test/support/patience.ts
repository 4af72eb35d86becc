/**
 * How long a test waits for what has to come before it gives up. Long: a machine may be ten times slower than another,
 * and seconds decide nothing here (the benchmark and the long runs measure them).
 */
export const patienceMs = 120_000
