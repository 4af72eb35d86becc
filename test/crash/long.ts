import { runLong } from '../support/run-long.ts'

/** `node test/crash/long.ts --minutes 10`: crashes at places by chance, two in each run. SEED repeats a run's choices. */
await runLong('test/crash/twice.long.ts')
