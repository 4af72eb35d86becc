import { retryFailed } from '../../../src/transfers/retry-failed.ts'
import type { Retry } from '../retries.ts'
import type { BulkId, World } from '../world.ts'
import { askApi } from './api.ts'
import { makeRequestId } from './client.ts'

/** Sends failed transfers again: more than once under one request_id, and under two at once. */
export async function runRetrier(world: World): Promise<void> {
  const { dice, options, retries, timeline } = world
  for (let round = dice.between(2, 4); round > 0; round--) {
    // Not too soon: first something has to fail.
    await timeline.sleep(dice.between(2_000, options.safety_ms / 2))
    if (world.acceptedBulks.length === 0) continue
    const earlier = dice.chance(0.3) ? retries.pick() : null
    const retry = earlier ?? draft(world, dice.pick(world.acceptedBulks))
    const asked = [retry]
    if (dice.chance(0.4)) asked.push(retry)
    if (dice.chance(0.4)) asked.push(draft(world, retry))
    await Promise.all(asked.map((one) => ask(world, one)))
  }
}

function draft({ dice, retries }: World, { organization_id, bulk_id }: BulkId): Retry {
  return retries.add({ organization_id, bulk_id, request_id: makeRequestId(dice.bytes(16)) })
}

async function ask(world: World, retry: Retry): Promise<void> {
  const { organization_id, bulk_id, request_id } = retry
  const replay = retry.acceptance !== null
  const answer = await askApi(world, async (context) => ({
    submission: await retryFailed(context, organization_id, { bulk_id, request_id })
  }))
  const submission = answer?.submission
  const said = submission?.outcome === 'refused' ? submission.problem.reason : submission?.outcome
  world.timeline.tell(
    'retrier',
    `${request_id.slice(0, 8)} of ${bulk_id.slice(0, 8)}: ${said ?? 'no answer'}`
  )
  if (answer !== null) world.retries.judge(retry, answer.submission, replay)
}
