// A Bulkhead in a process of its own, for tests that kill one: starts the database, reports, and waits.
import { startEmbeddedPostgres } from '../../src/embedded/start-postgres.ts'
import { EmbeddedPostgresError } from '../../src/embedded/embedded-error.ts'

const [directory = '', binaries] = process.argv.slice(2)
const progress: string[] = []

try {
  const started = await startEmbeddedPostgres({
    directory,
    onProgress: (message) => progress.push(message),
    ...(binaries === undefined ? {} : { binaries })
  })
  report({ url: started.url, adopted: started.adopted, progress })
  process.stdin.resume()
  process.stdin.once('end', () => void started.stop().then(() => process.exit(0)))
} catch (error) {
  if (!(error instanceof EmbeddedPostgresError)) throw error
  report({ code: error.code, message: error.message, progress })
}

function report(outcome: object): void {
  process.stdout.write(`${JSON.stringify(outcome)}\n`)
}
