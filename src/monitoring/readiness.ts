import type { Context } from '../context.ts'
import { isUnavailable } from '../database/errors.ts'
import { findMissingMigrations } from '../database/migrate.ts'

interface ReadinessCheck {
  name: string
  ok: boolean
  details: string
}

/** Whether work can be taken, and of everything that it needs whether it is there. */
export async function checkReadiness(
  context: Context
): Promise<{ ready: boolean; checks: ReadinessCheck[] }> {
  const [database, bank] = await Promise.all([checkDatabase(context), context.bank.ping()])
  return {
    // Without the bank bulks are still accepted and kept; so it does not make this process unready.
    ready: database.every(({ ok }) => ok),
    checks: [
      ...database,
      {
        name: 'bank',
        ok: bank,
        details: bank ? 'answers' : 'does not answer; transfers wait until it does'
      }
    ]
  }
}

async function checkDatabase({ db, log }: Context): Promise<ReadinessCheck[]> {
  try {
    const missing = await findMissingMigrations(db)
    const migrations =
      missing.length === 0
        ? { ok: true, details: 'all are done' }
        : { ok: false, details: `missing: ${missing.join(', ')}; run the command migrate` }
    return [
      { name: 'database', ok: true, details: 'answers' },
      { name: 'migrations', ...migrations }
    ]
  } catch (error) {
    if (!isUnavailable(error)) log.warn({ err: error }, 'not ready: the database refuses to be asked')
    return [{ name: 'database', ok: false, details: 'does not answer' }]
  }
}
