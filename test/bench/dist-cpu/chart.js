// A chart of the ratios against their budgets, as SVG.
const [WIDTH, LABEL, ROW, TOP] = [760, 330, 26, 40];
const escape = (text) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;');
/** Bars on a scale on which 1, the work without this package, is where all of them start. */
export function chartOf(title, bars) {
    const most = Math.max(...bars.flatMap(({ ratio, budget }) => [ratio, budget]));
    const x = (ratio) => LABEL + (ratio / most) * (WIDTH - LABEL - 60);
    const rows = bars.map(({ name, ratio, budget }, index) => {
        const y = TOP + index * ROW;
        const color = ratio <= budget ? '#2f7d4f' : '#b3541e';
        return `
  <text x="${LABEL - 10}" y="${y + 13}" text-anchor="end">${escape(name)}</text>
  <rect x="${x(0)}" y="${y}" width="${(x(ratio) - x(0)).toFixed(1)}" height="18" rx="2" fill="${color}"/>
  <line x1="${x(budget).toFixed(1)}" x2="${x(budget).toFixed(1)}" y1="${y - 3}" y2="${y + 21}" stroke="#888" stroke-width="2"/>
  <text x="${(x(Math.max(ratio, budget)) + 8).toFixed(1)}" y="${y + 13}">${ratio.toFixed(2)}</text>`;
    });
    const height = TOP + bars.length * ROW + 30;
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="13" fill="#555">
  <text x="10" y="20" font-weight="bold">${escape(title)}</text>${rows.join('')}
  <line x1="${x(1).toFixed(1)}" x2="${x(1).toFixed(1)}" y1="${TOP - 8}" y2="${height - 26}" stroke="#555" stroke-dasharray="3 3"/>
  <text x="${x(1).toFixed(1)}" y="${height - 10}" text-anchor="middle">1: without</text>
  <text x="${WIDTH - 10}" y="${height - 10}" text-anchor="end">grey: the budget</text>
</svg>
`;
}
//# sourceMappingURL=chart.js.map