import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { parseArgs } from 'node:util'

/**
 * `npm run test:long -- --minutes 10`: one after the other, with a share of the minutes each, the simulation with new
 * seeds, crashes at places by chance, and the nemesis. Exits with 1 if any of them fails.
 */
const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' } } })
const minutes = Number(values.minutes)
if (!(minutes >= 4)) throw new Error('how long? at least 4 minutes: npm run test:long -- --minutes 10')

/** The simulation takes whole minutes. */
const simulated = Math.round(minutes / 2)
const rest = (minutes - simulated) / 2
const runs = [
  { file: 'simulation/long.ts', parameters: [`${simulated}m`], takes: simulated },
  { file: 'crash/long.ts', parameters: ['--minutes', `${rest}`], takes: rest },
  { file: 'nemesis/long.ts', parameters: ['--minutes', `${rest}`], takes: rest }
]

tell(`${minutes} minutes in all; choose with: npm run test:long -- --minutes 60`)
const failed: string[] = []
const stopping = new AbortController()
for (const { file, parameters, takes } of runs) {
  tell(`${file} for ${takes} minutes`)
  const child = spawn(process.execPath, [path.join(import.meta.dirname, file), ...parameters], {
    stdio: 'inherit'
  })
  const forward = (signal: NodeJS.Signals): void => {
    stopping.abort()
    child.kill(signal)
  }
  process.on('SIGINT', forward).on('SIGTERM', forward)
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
  process.off('SIGINT', forward).off('SIGTERM', forward)
  if (code !== 0) failed.push(file)
  if (stopping.signal.aborted) break
  tell(`${file} ${code === 0 ? 'found nothing' : `FAILED (${signal ?? code})`}`)
}
const verdict = failed.length === 0 ? 'nothing was found' : `failed: ${failed.join(', ')}`
tell(stopping.signal.aborted ? 'stopped' : verdict)
process.exitCode = failed.length === 0 && !stopping.signal.aborted ? 0 : 1

function tell(line: string): void {
  process.stdout.write(`\n=== ${new Date().toLocaleTimeString('en-GB')} ${line}\n`)
}
