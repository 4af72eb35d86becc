import { runLong } from '../support/run-long.ts'

/** `FUZZ_REQUESTS=100000 node test/fuzz/long.ts`: the same calls as in every run of the tests, and more of them. */
process.env['FUZZ_REQUESTS'] ??= '100000'
await runLong('test/fuzz/fuzz.test.ts')
