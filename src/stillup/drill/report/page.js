// Draws each drill's charts when its part of the page is opened. Everything else on the page is
// there without this program.
"use strict";
(() => {
  const text = document.getElementById("run").textContent;
  const run = JSON.parse(text).run;
  const root = document.documentElement;
  const shown = new Map();  // details element -> its charts, to be drawn anew
  const AXIS = 52;  // every chart's left edge, so that they stand exactly below each other
  const ROW = 34;  // a strip with its label, in pixels
  const ENOUGH = 10;  // so many requests in a step tell a rate from mere chance
  const SMALLEST_MS = 0.1;  // what a logarithmic scale begins with

  const colour = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();
  const sum = (lists, length) =>
    Array.from({ length }, (_, bin) => lists.reduce((total, list) => total + list[bin], 0));
  const in_ms = (list) => [...list, list.at(-1)].map((s) => (s === null ? null : Math.max(SMALLEST_MS, s * 1000)));
  const rounded = (value) => (value === null || value === undefined ? "–" : `${+value.toPrecision(3)}`);

  function draw(details) {
    const drill = run.played[details.dataset.drill - 1];
    const box = details.querySelector(".charts");
    (shown.get(details) || []).forEach((chart) => chart.destroy());
    box.replaceChildren();
    const bins = drill.timeline.groups[Object.keys(drill.timeline.groups)[0]]?.due.length || 0;
    if (!bins) {
      box.textContent = "No request was due in this drill.";
      shown.set(details, []);
      return;
    }
    const times = Array.from({ length: bins }, (_, bin) => bin * drill.timeline.bin_s);
    shown.set(details, [
      rates(drill, times, box),
      latencies(drill, times, box),
      strips(drill, times, box),
    ]);
  }

  function chart(drill, box, title, options, data) {
    box.append(Object.assign(document.createElement("h3"), { textContent: title }));
    const axis = (more) => ({
      stroke: colour("quiet"),
      grid: { stroke: colour("grid"), width: 1 },
      ticks: { stroke: colour("grid"), width: 1 },
      font: "11px system-ui, sans-serif",
      ...more,
    });
    return new uPlot(
      {
        width: box.clientWidth,
        padding: [8, 8, 0, 0],
        ...options,
        scales: { x: { time: false }, ...options.scales },
        axes: [
          axis({ size: 28, values: (_, ticks) => ticks.map((s) => `${s} s`) }),
          axis({ size: AXIS, ...options.y_axis }),
        ],
        cursor: { sync: { key: drill.name, setSeries: false }, points: { size: 5 }, y: false },
        hooks: { drawClear: [(plot) => grounds(plot, drill)], ...options.hooks },
      },
      data,
      box,
    );
  }

  const stepped = (name, label, more) => ({
    label,
    stroke: colour(name),
    width: 1.5,
    paths: uPlot.paths.stepped({ align: 1 }),
    points: { show: false },
    value: (_, value) => rounded(value),
    ...more,
  });

  const seconds = { label: "at", value: (_, value) => (value === null ? "–" : `${value.toFixed(1)} s`) };

  // How many bins make a step of the chart: with few requests a second one bin is mere chance.
  function bins_a_step(due) {
    const usual = [...due].sort((one, other) => one - other)[due.length >> 1];
    const mean = due.reduce((total, count) => total + count, 0) / due.length;
    return [1, 2, 5].find((bins) => Math.max(usual, mean) * bins >= ENOUGH) || 10;
  }

  const in_steps = (list, bins) => Array.from({ length: Math.ceil(list.length / bins) },
    (_, step) => list.slice(step * bins, (step + 1) * bins).reduce((total, count) => total + count, 0));

  function rates(drill, times, box) {
    const names = Object.keys(drill.timeline.groups);
    const asked = names.includes("pages") ? "pages" : names[0];
    const bins = bins_a_step(drill.timeline.groups[asked].due);
    const step_s = drill.timeline.bin_s * bins;
    const groups = Object.fromEntries(names.map((name) => {
      const { due, done, failed } = drill.timeline.groups[name];
      const classes = Object.entries(failed).map(([outcome, counts]) => [outcome, in_steps(counts, bins)]);
      return [name, { due: in_steps(due, bins), done: in_steps(done, bins), failed: Object.fromEntries(classes) }];
    }));
    const steps = times.filter((_, bin) => bin % bins === 0);
    // The last step may be shorter, and reaches to where the other charts end.
    const per_second = (list) => list.map((count, step) =>
      count / (drill.timeline.bin_s * Math.min(bins, times.length - step * bins)));
    const to_the_end = (list) => [...list, list.at(-1)];
    const failures = {};
    for (const name of names) {
      for (const [outcome, counts] of Object.entries(groups[name].failed)) {
        failures[outcome] = sum([failures[outcome] || counts.map(() => 0), counts], steps.length);
      }
    }
    const failed = per_second(sum(Object.values(failures), steps.length));
    const said = { pages: "pages", sessions: "pages of sessions", rows: "rows written", files: "files written" };
    const classes = (_, value, series, bin) => {
      if (!value) return rounded(value);
      const some = Object.entries(failures).filter(([, counts]) => counts[bin]);
      return `${rounded(value)} (${some.map(([outcome]) => outcome).join(", ")})`;
    };
    const series = [seconds];
    const data = [[...steps, times.at(-1) + drill.timeline.bin_s]];
    series.push(stepped("due", `${asked} asked`, { width: 1, dash: [4, 3] }));
    data.push(to_the_end(per_second(groups[asked].due)));
    for (const name of names) {
      series.push(stepped(name, said[name] || name, { fill: name === asked ? `${colour(name)}20` : undefined }));
      data.push(to_the_end(per_second(groups[name].done)));
    }
    const bars = uPlot.paths.bars({ align: 1, size: [1, Infinity] });
    series.push(stepped("failed", "failed", { fill: `${colour("failed")}a0`, width: 0, paths: bars, value: classes }));
    data.push([...failed, 0]);
    const told = bins > 1 ? `Requests a second, in steps of ${step_s.toFixed(1)} s` : "Requests a second";
    return chart(drill, box, told, {
      height: 240,
      series,
      scales: { y: { range: [0, highest(groups[asked].due, failed, step_s)] } },
      hooks: { draw: [(plot) => moments(plot, drill, true)] },
    }, data);
  }

  // What waited is answered all at once when a stall ends; that peak may leave the chart, so that
  // all else can be seen.
  function highest(due, failed, bin_s) {
    const usual = [...due].sort((one, other) => one - other)[due.length >> 1] / bin_s;
    return Math.max(10, usual * 1.7, Math.max(...failed) * 1.1);
  }

  function latencies(drill, times, box) {
    const series = [seconds];
    const data = [[...times, times.at(-1) + drill.timeline.bin_s]];
    for (const [name, asked] of Object.entries(drill.timeline.groups)) {
      if (name === "pages") {
        series.push(stepped("due", "pages, half within", {}));
        data.push(in_ms(asked.median_s));
      }
      series.push(stepped(name, `${name}, slowest`, {}));
      data.push(in_ms(asked.slowest_s));
    }
    return chart(drill, box, "Answered within, ms (of those that were due then)", {
      height: 170,
      series,
      scales: { y: { distr: 3 } },
      y_axis: { values: (_, ticks) => ticks.map((ms) => (ms === null || !Number.isInteger(Math.log10(ms)) ? "" : `${ms}`)) },
      hooks: { draw: [(plot) => moments(plot, drill, false)] },
    }, data);
  }

  function strips(drill, times, box) {
    const rows = strip_rows(drill);
    const told = Object.assign(document.createElement("p"), { className: "quiet" });
    const plot = chart(drill, box, "Who holds the address, and how the farm stands", {
      height: rows.length * ROW + 36,
      legend: { show: false },
      series: [seconds, { points: { show: false } }],
      scales: { y: { range: [0, rows.length] } },
      y_axis: { show: false },
      padding: [8, 8, 0, AXIS],
      hooks: {
        draw: [(plot) => { bands(plot, rows); moments(plot, drill, false); }],
        setCursor: [(plot) => { told.textContent = at_cursor(plot, rows); }],
      },
    }, [[times[0], times.at(-1) + drill.timeline.bin_s], [null, null]]);
    box.append(told);
    return plot;
  }

  function strip_rows(drill) {
    const { heard, said, standings } = drill.timeline;
    const addresses = [...new Set([...(heard || []), ...said].map((holding) => holding.address))];
    const rows = [];
    for (const address of addresses) {
      const of = (holdings) => holdings.filter((holding) => holding.address === address)
        .map(({ server, from_s, to_s }) => ({ from_s, to_s, text: server, colour: server_colour(server) }));
      if (heard) rows.push({ title: `${address}: who answers on the wire`, spans: of(heard) });
      rows.push({ title: `${address}: who says it holds it`, spans: of(said) });
    }
    const until = (number) => (standings[number + 1]?.at_s ?? drill.lasted_s);
    const level = { serving: "kept", "at risk": "unknown", down: "broken" };
    rows.push({
      title: "the farm, as stillup status says",
      spans: standings.map((standing, number) => ({
        from_s: standing.at_s,
        to_s: until(number),
        text: standing.level,
        more: standing.why,
        colour: colour(level[standing.level] || "quiet"),
        text_colour: colour("ground"),
      })),
    });
    return rows;
  }

  function server_colour(name) {
    const number = run.servers.findIndex((server) => server.name === name);
    if (number < 0) return colour("broken");
    return `hsl(${(205 + number * 137.5) % 360} 50% 42%)`;
  }

  function bands(plot, rows) {
    const { ctx, bbox } = plot;
    const ratio = devicePixelRatio;
    ctx.save();
    ctx.font = `${11 * ratio}px system-ui, sans-serif`;
    ctx.textBaseline = "middle";
    ctx.textAlign = "left";
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    rows.forEach((row, number) => {
      const top = bbox.top + number * (bbox.height / rows.length);
      ctx.fillStyle = colour("quiet");
      ctx.fillText(row.title, bbox.left + 2 * ratio, top + 7 * ratio);
      for (const span of row.spans) {
        const left = plot.valToPos(span.from_s, "x", true);
        const width = Math.max(2 * ratio, plot.valToPos(span.to_s, "x", true) - left);
        ctx.fillStyle = span.colour;
        ctx.fillRect(left, top + 14 * ratio, width, 16 * ratio);
        if (ctx.measureText(span.text).width + 8 * ratio < width) {
          ctx.fillStyle = span.text_colour || "#fff";
          ctx.fillText(span.text, Math.max(left, bbox.left) + 4 * ratio, top + 22.5 * ratio);
        }
      }
    });
    ctx.restore();
  }

  function at_cursor(plot, rows) {
    if (plot.cursor.left === null || plot.cursor.left < 0) return "";
    const at_s = plot.posToVal(plot.cursor.left, "x");
    const parts = rows.map((row) => {
      const here = row.spans.filter((span) => span.from_s <= at_s && at_s <= span.to_s);
      const names = [...new Set(here.map((span) => (span.more ? `${span.text}: ${span.more}` : span.text)))];
      return `${row.title}: ${names.join(" and ") || "nobody"}`;
    });
    return `At ${at_s.toFixed(2)} s — ${parts.join("; ")}`;
  }

  // The time in which the fault was there, and the pages' longest outage, behind the curves.
  function grounds(plot, drill) {
    const at = (mark) => drill.timeline.moments.find((moment) => moment.mark === mark)?.at_s;
    const begun = at("fault has begun") ?? at("fault begins");
    const { outage } = drill.verdict.figures;
    if (begun !== undefined) ground(plot, begun, at("fault is undone") ?? drill.lasted_s, "fault");
    if (outage.to_s - outage.from_s >= drill.timeline.bin_s) ground(plot, outage.from_s, outage.to_s, "out");
  }

  function ground(plot, from_s, to_s, name) {
    const { ctx, bbox } = plot;
    const clamped = (s) => Math.min(bbox.left + bbox.width, Math.max(bbox.left, plot.valToPos(s, "x", true)));
    ctx.save();
    ctx.fillStyle = colour(name);
    ctx.fillRect(clamped(from_s), bbox.top, clamped(to_s) - clamped(from_s), bbox.height);
    ctx.restore();
  }

  function moments(plot, drill, labelled) {
    const { ctx, bbox } = plot;
    const ratio = devicePixelRatio;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = colour("text");
    ctx.lineWidth = ratio;
    ctx.setLineDash([3 * ratio, 3 * ratio]);
    ctx.font = `${11 * ratio}px system-ui, sans-serif`;
    let line = 0;
    for (const moment of drill.timeline.moments) {
      const x = plot.valToPos(moment.at_s, "x", true);
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      if (labelled && moment.mark !== "fault has begun") {
        const right = x > bbox.left + bbox.width * 0.75;
        ctx.textAlign = right ? "right" : "left";
        ctx.fillText(moment.mark, x + (right ? -4 : 4) * ratio, bbox.top + (12 + 14 * (line++ % 3)) * ratio);
      }
    }
    ctx.restore();
  }

  const redraw = () => [...shown.keys()].forEach(draw);
  const seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting && target.open && !shown.has(target)) draw(target);
    }
  }, { rootMargin: "400px" });
  for (const details of document.querySelectorAll("details.drill")) {
    seen.observe(details);
    details.addEventListener("toggle", () => details.open && !shown.has(details) && draw(details));
  }

  function open_named() {
    const details = location.hash && document.getElementById(location.hash.slice(1));
    if (details instanceof HTMLDetailsElement) {
      details.open = true;
      details.scrollIntoView();
    }
  }
  addEventListener("hashchange", open_named);
  open_named();

  let width = innerWidth;
  addEventListener("resize", () => {
    if (width !== innerWidth) redraw();
    width = innerWidth;
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  addEventListener("beforeprint", () => {
    root.classList.add("print");
    for (const details of document.querySelectorAll("details.drill[open]")) draw(details);
  });
  addEventListener("afterprint", () => {
    root.classList.remove("print");
    redraw();
  });

  const save = document.getElementById("save");
  save.hidden = false;
  save.addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = "drill.json";
    link.click();
    URL.revokeObjectURL(link.href);
  });
})();
