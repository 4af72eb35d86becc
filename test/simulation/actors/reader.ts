import { parseAmount } from '../../../src/domain/money.ts'
import { readBulkStatus } from '../../../src/transfers/read-bulk.ts'
import type { World } from '../world.ts'
import { askApi } from './api.ts'

type Status = NonNullable<Awaited<ReturnType<typeof readBulkStatus>>>

const parts = ['executed', 'pending', 'processing', 'unknown', 'failed', 'cancelled'] as const

/** Reads accepted bulks again and again and holds each read to the equation, and to the read before it. */
export async function runReader(world: World): Promise<void> {
  const { dice, timeline } = world
  const seen = new Map<string, Status>()
  while (!world.healed) {
    await timeline.sleep(dice.between(200, 3_000))
    if (world.acceptedBulks.length === 0) continue
    const { organization_id, bulk_id } = dice.pick(world.acceptedBulks)
    const key = `${organization_id}/${bulk_id}`
    const answer = await askApi(world, async (context) => ({
      read: await readBulkStatus(context.db, organization_id, bulk_id)
    }))
    if (answer === null) continue
    const wrong = answer.read ? findWrong(answer.read, seen.get(key)) : 'it was accepted and is gone'
    if (wrong !== null) world.fail(`I8: bulk ${bulk_id}: ${wrong}`)
    if (answer.read) seen.set(key, answer.read)
  }
}

/** What is wrong with a status by itself, and after the one that was read before it. */
export function findWrong(read: Status, before?: Status): string | null {
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
