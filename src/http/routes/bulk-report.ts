import { Readable } from 'node:stream'
import { z } from 'zod'
import type { Tx } from '../../database/statement.ts'
import { listTransfers, type Transfer } from '../../transfers/read-transfers.ts'
import { csvHeader, csvLine } from '../../transfers/report.ts'
import { actingFor } from '../acting.ts'
import { bulkId, bulkNotFound, requireBulkId } from '../bulk-id.ts'
import type { Server } from '../server-type.ts'

/** Transfers that are read, and held, at one time. */
const pageSize = 200

const formats = {
  csv: { type: 'text/csv; charset=utf-8; header=present', header: csvHeader, line: csvLine },
  jsonl: {
    type: 'application/jsonl',
    header: '',
    line: (transfer: Transfer) => `${JSON.stringify(transfer)}\n`
  }
} as const
type Format = keyof typeof formats

/** What became of each transfer of a bulk, as a file. */
export function bulkReportRoute(server: Server): void {
  server.get(
    '/transfers/bulk/:bulk_id/report',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'read_bulk_report',
        tags: ['bulks'],
        summary: 'What became of each transfer, as a file',
        description:
          'CSV (RFC 4180; what a spreadsheet could take for a formula begins with an apostrophe), or JSON lines: `?format=jsonl` or `Accept: application/jsonl`. Each line is true when it is written; of a bulk that is final all are of one instant.',
        params: bulkId,
        querystring: z.strictObject({
          format: z.enum(['csv', 'jsonl']).optional().describe('Wins over Accept; csv if neither says.')
        }),
        response: {
          200: {
            description: 'One line a transfer',
            content: { 'text/csv': { schema: z.string() }, 'application/jsonl': { schema: z.string() } }
          }
        }
      }
    },
    async (request, reply) => {
      const { context, organizationId } = actingFor(request)
      const bulk_id = requireBulkId(request.params.bulk_id)
      const format = request.query.format ?? acceptedFormat(request.headers.accept)
      const query = { organization_id: organizationId, bulk_id }
      // Read before the answer begins: what is refused is refused by its status.
      const first = await readPage(context.db, query, 0)
      if (first === null) throw bulkNotFound()
      return reply
        .header('content-type', formats[format].type)
        .header('content-disposition', `attachment; filename="bulk-${bulk_id}.${format}"`)
        .header('vary', 'accept')
        .send(Readable.from(writeReport(context.db, query, { first, format })) as never)
    }
  )
}

function acceptedFormat(accept = ''): Format {
  return /application\/(jsonl|x-ndjson|x-jsonlines|ndjson)/i.test(accept) ? 'jsonl' : 'csv'
}

type Query = { organization_id: number; bulk_id: string }

function readPage(tx: Tx, query: Query, first_seq: number): Promise<Transfer[] | null> {
  return listTransfers(tx, { ...query, first_seq, status: null, limit: pageSize })
}

/** A page is read when the one before has been taken: a slow reader holds no more than one. */
async function* writeReport(
  tx: Tx,
  query: Query,
  { first, format }: { first: Transfer[]; format: Format }
): AsyncGenerator<string> {
  const { header, line } = formats[format]
  yield header
  for (let page: Transfer[] = first; page.length > 0;) {
    yield page.map(line).join('')
    const last = page.at(-1)?.index ?? 0
    page = page.length < pageSize ? [] : ((await readPage(tx, query, last + 1)) ?? [])
  }
}
