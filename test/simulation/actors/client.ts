import { formatAmount } from '../../../src/domain/money.ts'
import { submitBulk, type Submission } from '../../../src/transfers/submit-bulk.ts'
import { aBulk, aTransfer } from '../../support/builders.ts'
import type { Content } from '../submissions.ts'
import type { World } from '../world.ts'
import { askApi } from './api.ts'

const ibans = ['DE89370400440532013000', 'FR7630006000011234567890189', 'NL91ABNA0417164300']

/** Submits bulks, impatiently and more than once; resolves when each has been answered. */
export async function runClient(world: World): Promise<void> {
  const { dice, options, timeline } = world
  for (let nr = 0; nr < options.bulks_per_client; nr++) {
    await timeline.sleep(dice.between(0, options.safety_ms / 3))
    const content = draftBulk(world)
    const sendings = [submitUntilAnswered(world, content)]
    // What another organization does under the same request_id is no concern of this one.
    for (const organization_id of world.organizationIds)
      if (organization_id !== content.organization_id && dice.chance(0.3))
        sendings.push(submitUntilAnswered(world, world.submissions.add({ ...content, organization_id })))
    if (dice.chance(0.3)) sendings.push(submitUntilAnswered(world, content))
    if (dice.chance(0.2)) sendings.push(submitUntilAnswered(world, draftImpostor(world, content)))
    await Promise.all(sendings)
    if (dice.chance(0.3)) await submitUntilAnswered(world, content)
  }
}

function draftBulk(world: World): Content {
  const { dice, options } = world
  const amounts = Array.from({ length: dice.between(1, options.most_transfers) }, () => dice.between(1, 99))
  const body = aBulk({
    request_id: makeRequestId(dice.bytes(16)),
    on_failure: dice.chance(options.share_of_stop) ? 'stop' : 'continue',
    credit_transfers: amounts.map((amount) =>
      aTransfer({ amount: formatAmount(BigInt(amount), 'EUR'), counterparty_iban: dice.pick(ibans) })
    )
  })
  return world.submissions.add({
    organization_id: dice.pick(world.organizationIds),
    body,
    total_minor: BigInt(amounts.reduce((total, amount) => total + amount, 0))
  })
}

/** Other content under the same request_id. */
function draftImpostor(world: World, content: Content): Content {
  const { body } = content
  const [first, ...rest] = body.credit_transfers
  const changed = { ...first!, description: 'Something else altogether' }
  return world.submissions.add({ ...content, body: { ...body, credit_transfers: [changed, ...rest] } })
}

async function submitUntilAnswered(world: World, content: Content): Promise<void> {
  const { dice, timeline } = world
  for (let refusals = 0; refusals < 3;) {
    const submission = await submit(world, content)
    const reason = submission?.outcome === 'refused' ? submission.problem.reason : null
    if (submission !== null && reason === null) return
    if (reason === 'already-processed') return
    // Money may come back; an answer that never came has to be asked for again.
    if (reason === 'insufficient-account-balance') refusals += 1
    await timeline.sleep(dice.between(100, 2_000))
  }
}

async function submit(world: World, content: Content): Promise<Submission | null> {
  const { submissions, timeline } = world
  const replay = content.acceptance !== null
  content.unanswered += 1
  const submission = await askApi(world, (context) =>
    submitBulk(context, content.organization_id, content.body)
  )
  const said =
    submission?.outcome === 'refused' ? submission.problem.reason : (submission?.outcome ?? 'no answer')
  timeline.tell('client', `${content.body.request_id.slice(0, 8)}: ${said}`)
  if (submission === null) return null
  content.unanswered -= 1
  submissions.judge(content, submission, replay)
  return submission
}

/** A UUID by chance. */
export function makeRequestId(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex')
  return hex.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, '$1-$2-4$3-8$4-$5')
}
