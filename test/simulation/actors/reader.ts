import { parseAmount } from '../../../src/domain/money.ts'
import { readBulkStatus } from '../../../src/transfers/read-bulk.ts'
import type { World } from '../world.ts'
import { askApi } from './api.ts'

type Status = NonNullable<Awaited<ReturnType<typeof readBulkStatus>>>

const parts = ['executed', 'pending', 'processing', 'unknown', 'failed', 'cancelled'] as const

/** Reads accepted bulks again and again and holds each read to the equation, and to the read before it. */
export async function runReader(world: World): Promise<void> {
  const { dice, organizationId, submissions, timeline } = world
  const seen = new Map<string, Status>()
  while (!world.healed) {
    await timeline.sleep(dice.between(200, 3_000))
    const ids = submissions.acceptedIds
    if (ids.length === 0) continue
    const id = dice.pick(ids)
    const answer = await askApi(world, async (context) => ({
      read: await readBulkStatus(context.db, organizationId, id)
    }))
    if (answer === null) continue
    const wrong = answer.read ? findWrong(answer.read, seen.get(id)) : 'it was accepted and is gone'
    if (wrong !== null) world.fail(`I8: bulk ${id}: ${wrong}`)
    if (answer.read) seen.set(id, answer.read)
  }
}

function findWrong(read: Status, before: Status | undefined): string | null {
  if (parts.reduce((count, part) => count + read[part].count, 0) !== read.total.count)
    return 'the counts do not add up'
  if (parts.reduce((sum, part) => sum + minor(read[part].amount), 0n) !== minor(read.total.amount))
    return 'the amounts do not add up'
  const open = read.pending.count + read.processing.count + read.unknown.count
  if (read.final !== (open === 0)) return `it is ${read.final ? '' : 'not '}final with ${open} open`
  if (before === undefined) return null
  if (read.version < before.version) return 'its version went back'
  if (before.final && read.status !== before.status) return 'it was final and changed'
  return null
}

function minor(amount: string): bigint {
  const parsed = parseAmount(amount, 'EUR')
  return parsed.outcome === 'ok' ? parsed.amount_minor : 0n
}
