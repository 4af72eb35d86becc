import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { request as ask } from 'undici'

type Exchange = (pass: () => Promise<void>, response: ServerResponse, order: Order) => Promise<void> | void
interface Order {
  reference: string
  amount: string
  currency: string
  counterparty_iban: string
}

/** What the line does to a payment of this description, the first time that it is sent. */
const faults: Record<string, Exchange> = {
  'The request is lost': (_, response) => void response.destroy(),
  'The answer is lost': async (pass, response) => {
    response.end = () => response.destroy()
    await pass()
  },
  // Longer than a third of the lease, when a worker renews it.
  'The answer is late': async (pass) => {
    await sleep(500)
    await pass()
  },
  'The bank is busy': (_, response) => void response.writeHead(503).end(),
  'The bank takes it first': async (pass, response, { reference, amount, currency, counterparty_iban }) => {
    const end = response.end.bind(response)
    const taken = JSON.stringify({ reference, status: 'PENDING', amount, currency, counterparty_iban })
    response.end = () => end(taken)
    await pass()
  }
}
export const faultyDescriptions = Object.keys(faults)

/** A line between the program and its bank that is faulty for some payments, by their description. */
export async function startBankLine(bankUrl: string): Promise<{ url: string; close: () => void }> {
  const sent = new Set<string>()
  const server = createServer((request, response) => {
    // The program is killed while it waits for an answer: nobody is left to be told.
    exchange(bankUrl, sent, request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.close()
      server.closeAllConnections()
    }
  }
}

async function exchange(
  bankUrl: string,
  sent: Set<string>,
  request: IncomingMessage,
  response: ServerResponse
): Promise<void> {
  const body = Buffer.concat(await request.toArray())
  const { method, url = '', headers } = request
  const pass = async (): Promise<void> => {
    const { 'content-type': type = 'application/json' } = headers
    const answer = await ask(bankUrl + url, {
      method: method as 'GET',
      headers: { 'content-type': type },
      body
    })
    response.writeHead(answer.statusCode, { 'content-type': 'application/json' })
    response.end(await answer.body.text())
  }
  if (method !== 'POST') return pass()
  const order = JSON.parse(body.toString()) as Order & { description: string }
  const fault = sent.has(order.reference) ? undefined : faults[order.description]
  sent.add(order.reference)
  await (fault ?? pass)(pass, response, order)
}
