import { readSettings, type Settings } from '../settings.ts'
import { UsageError } from './usage-error.ts'

/** The settings of this process, or a UsageError that lists everything that is wrong with them. */
export function loadSettings(): Settings {
  const read = readSettings(process.env)
  if (read.outcome === 'ok') return read.settings
  throw new UsageError(
    [
      'These settings have to be corrected (see docs/configuration.md):',
      ...read.errors.map((error) => `  ${error}`)
    ].join('\n')
  )
}

/** The environment variables of this process, to be examined. */
export function ownEnvironment(): Record<string, string | undefined> {
  return process.env
}

/** Whether npm runs this process as a script of package.json. */
export function isStartedByNpm(): boolean {
  return process.env['npm_lifecycle_event'] !== undefined
}

/** The environment of this process with some settings more, for a process that it starts. */
export function environmentWith(settings: Record<string, string>): Record<string, string | undefined> {
  return { ...process.env, ...settings }
}
