import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { differences, readAnswer } from '../support/documented-answer.ts'
import { makePlace, run, start, type Place } from './program.ts'
import { until } from './processes.ts'

/** A command of the page, and the answer that stands below it. */
interface Example {
  line: number
  command: string
  answer: string | null
}

const page = readFileSync(path.join(import.meta.dirname, '../../docs/api-guide.md'), 'utf8')
const examples = readExamples(page)

// The page is one session, from the top to the bottom.
describe('docs/api-guide.md', { skip: process.platform === 'win32' }, () => {
  let place: Place
  let key = ''
  /** What a reader's shell knows by now. */
  let variables = ''
  let cleanUp = () => Promise.resolve()
  after(() => cleanUp())

  before(async () => {
    place = await makePlace({ after: (hook) => (cleanUp = hook) }, { BANK_TIMEOUT_MS: '1000' })
    await start(place)
  })

  it('shows an answer to every call', () => {
    const calls = examples.filter(({ command }) => command.includes('curl '))
    assert.ok(calls.length > 20, `${calls.length} calls`)
    assert.deepEqual(
      calls.filter(({ answer }) => answer === null),
      []
    )
  })

  for (const { line, command, answer } of examples)
    it(`line ${line}: ${command.split('\n')[0]}`, async () => {
      if (answer !== null) await expectAnswer(command, answer)
      else if (command.startsWith('npm run bulkhead -- ')) await administer(command)
      else if (/^API=/.test(command)) variables = knowVariables(command)
      else await bash(command)
    })

  /** Payments take their time: a reader looks again until the answer is there, and so does this. */
  async function expectAnswer(command: string, answer: string): Promise<void> {
    const documented = readAnswer(answer)
    const look = async () => differences(documented, readAnswer(await bash(command)))
    const isRead = !/ -[dX] /.test(command)
    const lookAgain = async () => {
      const found = await look()
      return found.length === 0 || !isRead ? found : undefined
    }
    const wrong = await until('the documented answer', lookAgain).catch(look)
    assert.deepEqual(wrong, [])
  }

  async function administer(command: string): Promise<void> {
    const done = await run(place, command.split(' ').slice(4))
    assert.equal(done.code, 0, done.stderr)
    key = /"api_key":"(\w+)"/.exec(done.stdout)?.[1] ?? key
  }

  function knowVariables(command: string): string {
    assert.match(command, /127\.0\.0\.1:8000/)
    assert.match(command, /bh_test_…/)
    return command.replace('http://127.0.0.1:8000', place.url).replace('bh_test_…', key)
  }

  async function bash(command: string): Promise<string> {
    const script = `${verboseCurl}\n${variables}\n${command}`
    const done = await run(place, ['bash', '-euo', 'pipefail', '-c', script], { foreign: true })
    assert.equal(done.code, 0, done.stderr)
    return done.stdout
  }
})

/** Shows status and headers as well. */
const verboseCurl = 'curl() { command curl --silent --show-error --include "$@"; }'

/** The fenced blocks of a shell, each with the answer that follows it. */
function readExamples(text: string): Example[] {
  const blocks = [...text.matchAll(/^```(sh|http)\n(.*?)^```/gms)]
  return blocks.flatMap(({ 1: kind, 2: command = '', index }, at) => {
    if (kind !== 'sh') return []
    const next = blocks[at + 1]
    const line = text.slice(0, index).split('\n').length + 1
    return [{ line, command: command.trimEnd(), answer: next?.[1] === 'http' ? (next[2] ?? '') : null }]
  })
}
