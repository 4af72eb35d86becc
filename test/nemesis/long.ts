import { runLong } from '../support/run-long.ts'

/** `node test/nemesis/long.ts --minutes 10`: the same as in every run of the tests, for longer. SEED repeats a run's choices. */
await runLong('test/nemesis/nemesis.test.ts')
