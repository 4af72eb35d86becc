import type { FastifyReply, FastifyRequest } from 'fastify'
import { window_s, type Allowance, type Limits, type Spending } from '../access/limits.ts'
import type { Context } from '../context.ts'
import { Problem } from '../domain/problem.ts'
import { isRecord, maxTransfers } from '../transfers/bulk-request.ts'
import type { Server } from './server-type.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Counts transfers that are submitted without being in the body, and refuses if they are too many. */
    spendTransfers: ((count: number) => Promise<void>) | null
  }
}

/** Bodies up to this size are read at once: about 250 transfers. */
const bigBytes = 64 * 1024
/** Most bodies of one organization that wait to be read. */
const mostWaiting = 100

/** Holds each caller that was let in to its limits: requests, transfers, and big bodies at one time. */
export function limitCallers(server: Server, context: Context, limits: Limits): void {
  const waitForTurn = createTurns(context.settings.BIG_BODIES_AT_ONCE)
  server.decorateRequest('spendTransfers', null)
  server.addHook('onRequest', async (request, reply) => {
    const { caller } = request
    if (caller === null) return
    tell(reply, await limits.spendRequest(caller))
    request.spendTransfers = async (count) => tell(reply, await limits.spendTransfers(caller, count))
    if (caller.organization_id === null || !isBig(request)) return
    // Until the body has its turn, what a refusal leaves unread is not read either.
    reply.header('connection', 'close')
    if (request.routeOptions.config.scope === 'submit') tell(reply, await limits.checkBigBody(caller))
    await waitForTurn(caller.organization_id, reply)
    reply.removeHeader('connection')
  })
  server.addHook('preHandler', async (request) => {
    const { spendTransfers, body } = request
    if (spendTransfers === null || request.routeOptions.config.scope !== 'submit' || !isRecord(body)) return
    const transfers = body['credit_transfers']
    if (!Array.isArray(transfers) || transfers.length === 0) return
    // A list that is too long costs no more than a full one, and is told that it is too long.
    await spendTransfers(Math.min(transfers.length, maxTransfers))
  })
}

/** Writes the fields of draft-ietf-httpapi-ratelimit-headers, and refuses when a limit is exceeded. */
function tell(reply: FastifyReply, { short, allowances }: Spending): void {
  for (const { name, limit, remaining, resets_s } of allowances) {
    append(reply, 'ratelimit-policy', `"${name}";q=${limit};w=${window_s}`)
    append(reply, 'ratelimit', `"${name}";r=${remaining};t=${resets_s}`)
  }
  if (short) throw tooMany(describe(short), short.resets_s)
}

function append(reply: FastifyReply, name: string, value: string): void {
  const before = reply.getHeader(name)
  reply.header(name, before === undefined ? value : `${String(before)}, ${value}`)
}

function describe({ name, limit, remaining, resets_s }: Allowance): string {
  const whose = name.startsWith('key-') ? 'One key' : 'Your organization'
  const what = name.endsWith('transfers') ? 'submit' : 'make'
  const unit = name.endsWith('transfers') ? 'transfers' : 'requests'
  return `${whose} may ${what} ${limit} ${unit} in a minute, of which ${remaining} are left; try again in ${resets_s} s. Nothing was done.`
}

/** A refusal that says when to come back. */
export function tooMany(details: string, retryAfter_s: number): Problem {
  return new Problem({ reason: 'rate-limited', details }, { 'retry-after': String(retryAfter_s) })
}

function isBig({ headers }: FastifyRequest): boolean {
  if (headers['transfer-encoding'] !== undefined) return true
  return Number(headers['content-length'] ?? 0) > bigBytes
}

/**
 * Lets a few big bodies of each organization in at one time, before they are read, in the order in which they came.
 * Reading one of 1 MB keeps everybody waiting for some milliseconds: of two thousand at once, others would wait for all.
 */
function createTurns(most: number) {
  const lines = new Map<number, { inside: number; waiting: (() => void)[] }>()
  return async (organizationId: number, reply: FastifyReply): Promise<void> => {
    // Went while it was found out who it is: it closes no more, and would keep its place for ever.
    if (reply.raw.destroyed) return
    const line = lines.get(organizationId) ?? { inside: 0, waiting: [] }
    lines.set(organizationId, line)
    if (line.waiting.length >= mostWaiting)
      throw tooMany(
        `${most + mostWaiting} big bodies of your organization are under way; send fewer at once.`,
        1
      )
    const turn = Promise.withResolvers<null>()
    let isInside = line.inside < most
    if (isInside) {
      line.inside += 1
      turn.resolve(null)
    } else
      line.waiting.push(() => {
        isInside = true
        turn.resolve(null)
      })
    const enter = line.waiting.at(-1)
    // Comes in every case: answered, refused, or the client has gone.
    reply.raw.once('close', () => {
      if (!isInside) {
        line.waiting = line.waiting.filter((other) => other !== enter)
        return
      }
      const next = line.waiting.shift()
      if (next) next()
      else line.inside -= 1
      if (line.inside === 0) lines.delete(organizationId)
    })
    await turn.promise
  }
}
