import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { resolveCommand } from '../../src/cli/resolve.ts'
import { UsageError } from '../../src/cli/usage-error.ts'

const id = '01JDBZZZZZZZZZZZZZZZZZZZZZ-17'
const word = { status: 'FAILED', reason: 'AC04', operator: 'Ada', evidence: 'letter of the bank of 3 May' }

/** What an operator is told before anything is opened or changed. */
async function refusal(transferId: string, change: Partial<typeof word>): Promise<string> {
  const refused = await resolveCommand(transferId, { ...word, ...change }).catch((error: unknown) => error)
  assert.ok(refused instanceof UsageError, String(refused))
  return refused.message
}

describe('bulkhead resolve', () => {
  const wrong: [string, Partial<typeof word>, RegExp][] = [
    [id, { status: 'executed' }, /^--status has to be EXECUTED or FAILED\.$/],
    [id, { status: 'RETURNED' }, /^--status/],
    [id, { reason: 'ac04' }, /^--reason has to be one of AC01, AC03, AC04, /],
    [id, { reason: 'toString' }, /^--reason/],
    [id, { operator: ' ' }, /^--operator has to say who decides\.$/],
    [id, { evidence: 'trust me ' }, /^--evidence has to say how it is known/],
    ['17', {}, /^17 is no transfer_id/],
    [id.toLowerCase(), {}, /is no transfer_id/],
    [`${id} `, {}, /is no transfer_id/]
  ]
  for (const [transferId, change, says] of wrong)
    it(`refuses ${JSON.stringify(transferId)} with ${JSON.stringify(change)}`, async () => {
      assert.match(await refusal(transferId, change), says)
    })

  it('tells all that is wrong at once', async () => {
    const told = await refusal(id, { status: 'x', operator: '', evidence: '' })
    assert.deepEqual(
      told.split('\n').map((line) => line.split(' ')[0]),
      ['--status', '--operator', '--evidence']
    )
  })

  it('tells all that is missing at once', async () => {
    await assert.rejects(resolveCommand(id, {}), /^Error: --status .*\n--operator .*\n--evidence /)
  })

  it('asks for the reason of a failure', async () => {
    const { status, operator, evidence } = word
    await assert.rejects(resolveCommand(id, { status, operator, evidence }), /--reason has to be one of/)
  })
})
