import { rows, type Panel } from './dashboard-panels.ts'

/** The dashboard for Grafana 10 or newer, as the JSON that it imports. */
export function makeDashboard(): unknown {
  const panels: object[] = []
  let y = 0
  for (const [row, contents] of Object.entries(rows)) {
    const at = { h: 1, w: 24, x: 0, y }
    panels.push({ id: panels.length + 1, type: 'row', title: row, collapsed: false, gridPos: at, panels: [] })
    y += 1
    contents.forEach((panel, index) => {
      const gridPos = { h: 8, w: 8, x: (index % 3) * 8, y: y + Math.floor(index / 3) * 8 }
      panels.push({ id: panels.length + 1, ...describe(panel), gridPos })
    })
    y += Math.ceil(contents.length / 3) * 8
  }
  return {
    uid: 'bulkhead',
    title: 'Bulkhead',
    tags: ['bulkhead'],
    schemaVersion: 39,
    editable: true,
    refresh: '15s',
    time: { from: 'now-1h', to: 'now' },
    templating: {
      list: [{ name: 'datasource', label: 'Prometheus', type: 'datasource', query: 'prometheus' }]
    },
    panels
  }
}

function describe({ title, unit, queries }: Panel) {
  const datasource = { type: 'prometheus', uid: '${datasource}' }
  return {
    type: 'timeseries',
    title,
    datasource,
    fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
    options: { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi' } },
    targets: queries.map(([expr, legendFormat], index) => ({
      refId: String.fromCharCode(65 + index),
      datasource,
      expr,
      legendFormat
    }))
  }
}
