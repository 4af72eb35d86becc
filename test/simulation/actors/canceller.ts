import { cancelBulk } from '../../../src/execution/cancel-bulk.ts'
import type { BulkId, World } from '../world.ts'
import { askApi } from './api.ts'
import { findWrong } from './reader.ts'

/** Cancels some accepted bulks, now and then twice; holds each answer to what it promises. */
export async function runCanceller(world: World): Promise<void> {
  const { dice, timeline } = world
  for (let round = dice.between(1, 4); round > 0 && !world.healed; round--) {
    await timeline.sleep(dice.between(200, 5_000))
    if (world.acceptedBulks.length === 0) continue
    const bulk = dice.pick(world.acceptedBulks)
    await Promise.all(Array.from({ length: dice.pick([1, 1, 2]) }, () => cancel(world, bulk)))
  }
}

async function cancel(world: World, { organization_id, bulk_id }: BulkId): Promise<void> {
  const answer = await askApi(world, (context) => cancelBulk(context, organization_id, bulk_id))
  world.timeline.tell('canceller', `${bulk_id.slice(0, 8)}: ${answer?.outcome ?? 'no answer'}`)
  if (answer === null) return
  if (answer.outcome === 'not-found')
    world.fail(`I5: bulk ${bulk_id} was accepted, and its cancel finds none`)
  if (answer.outcome === 'not-found') return
  const { status } = answer
  const wrong = findWrong(status)
  if (wrong !== null) world.fail(`I8: bulk ${bulk_id}, cancelled: ${wrong}`)
  if (answer.outcome === 'not-cancellable' && !status.final)
    world.fail(`bulk ${bulk_id} is open, and was not cancelled`)
  if (answer.outcome === 'stopped' && answer.cancelled_now.count > status.cancelled.count)
    world.fail(`bulk ${bulk_id}: more were cancelled by this call than are cancelled`)
}
