import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import { aBulk } from '../support/builders.ts'
import { makePlace, run, start } from './program.ts'

const readme = readFileSync(path.join(import.meta.dirname, '../../README.md'), 'utf8')

/** The commands of a section of the README, after `npm run bulkhead --`, as a shell would read them. */
function commandsOf(section: string): string[][] {
  const [, text = ''] = readme.split(`## ${section}\n`)
  const [body = ''] = text.split('\n## ')
  return [...body.matchAll(/^npm run bulkhead -- (.*?)(?: +#.*)?$/gm)].map(([, line = '']) =>
    [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, word]) => quoted ?? word ?? '')
  )
}

describe('from the demo to keys', () => {
  it("is what the README's commands do", async (t) => {
    const place = await makePlace(t, { MODE: 'test' })
    await start(place)
    let key = ''
    const commands = commandsOf('From the demo to production')
    assert.ok(commands.length >= 3)
    for (const command of commands) {
      if (command[0] === 'migrate') continue
      const done = await run(
        place,
        command.filter((word) => word !== '--live')
      )
      assert.equal(done.code, 0, done.stderr)
      key = (JSON.parse(done.stdout.split('\n')[0] ?? '') as { api_key?: string }).api_key ?? key
    }
    const account = commands.find(([first]) => first === 'account') ?? []
    const [organization_iban, organization_bic] = ['--iban', '--bic'].map(
      (option) => account[account.indexOf(option) + 1] ?? ''
    )
    const pay = (headers: Record<string, string>) =>
      fetch(`${place.url}/transfers/bulk`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ ...aBulk(), organization_iban, organization_bic })
      })
    assert.equal((await pay({})).status, 401)
    assert.equal((await pay({ authorization: `Bearer ${key}` })).status, 201)
  })
})
