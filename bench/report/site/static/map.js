"use strict";
(() => {
  const holder = document.getElementById("map-data");
  if (!holder) return;
  const held = JSON.parse(holder.textContent);
  const { n, ids, columns, sheets, seeds, own } = held;

  const COLOURS = 7, TURNS = 8, GRID = 96, REACH = 14, PAD = 16, NONE = 65535, MOST_ZOOM = 200;
  const MANY = 10000, FEW_TURNS = 3, REST_MS = 150;
  const SHAPES = ["circle", "square", "triangle"];

  const canvas = document.getElementById("map");
  const frame = canvas.parentElement;
  const pen = canvas.getContext("2d");
  const ring = document.createElement("canvas"); // the mark lies above the dots, so they are not drawn anew
  ring.className = "ring";
  const ringPen = ring.getContext("2d");
  const tip = document.getElementById("map-tip");
  const tipPen = document.getElementById("map-image").getContext("2d");
  const tipText = document.getElementById("map-text");
  const legend = document.getElementById("map-legend");

  function unpacked(text) {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    return Uint16Array.from({ length: bytes.length / 2 }, (_, i) => view.getUint16(2 * i, true));
  }

  const x = new Float32Array(n), y = new Float32Array(n);
  columns.splice(own, 0, null); // the one that differs by seed
  const codes = columns.map((c) => c && unpacked(c.codes));

  // ---- which dots lie where: a grid over the plane, for the nearest one to a pointer
  const cellOf = (i) => Math.min(GRID - 1, (y[i] * GRID) | 0) * GRID + Math.min(GRID - 1, (x[i] * GRID) | 0);
  const starts = new Int32Array(GRID * GRID + 1);
  const members = new Int32Array(n);

  /** Put the dots where one seed has them. */
  function sow(seed) {
    unpacked(seed.x).forEach((v, i) => { x[i] = v / NONE; });
    unpacked(seed.y).forEach((v, i) => { y[i] = 1 - v / NONE; }); // up is more
    columns[own] = seed.column;
    codes[own] = unpacked(seed.column.codes);
    starts.fill(0);
    for (let i = 0; i < n; i++) starts[cellOf(i) + 1]++;
    for (let c = 0; c < GRID * GRID; c++) starts[c + 1] += starts[c];
    const filled = starts.slice();
    for (let i = 0; i < n; i++) members[filled[cellOf(i)]++] = i;
  }

  // ---- what is shown
  let width = 1, height = 1, ratio = 1;
  let zoom = 1, left = 0, top = 0; // of the plane, in its own units
  let hurried = false, resting = 0;
  let by = 0, alone = null, chosen = -1;
  let looks = [], order = new Int32Array(n), segments = [];

  const toX = (v) => PAD + (v - left) * zoom * (width - 2 * PAD);
  const toY = (v) => PAD + (v - top) * zoom * (height - 2 * PAD);
  const fromX = (px) => left + (px - PAD) / (zoom * (width - 2 * PAD));
  const fromY = (px) => top + (px - PAD) / (zoom * (height - 2 * PAD));

  /** The looks of a column: one per entry of its legend, then those of other groups and of none. */
  function regroup() {
    const column = columns[by];
    const count = column.legend.length;
    const steps = Math.max(1, count - 1);
    looks = column.legend.map((name, i) => ({
      name,
      colour: column.ordered ? `r${Math.round((7 * i) / steps)}` : `g${i % COLOURS}`,
      shape: column.ordered ? 0 : Math.floor(i / COLOURS) % SHAPES.length,
      count: 0,
    }));
    looks.push({ name: "others", colour: "none", shape: 0, count: 0 }, { name: column.nothing, colour: "none", shape: 1, count: 0 });
    const look = new Uint8Array(n);
    for (let i = 0; i < n; i++) {
      const code = codes[by][i];
      const place = code === NONE ? count + 1 : column.looks[code];
      look[i] = place < 0 ? count : place;
      looks[look[i]].count++;
    }
    // In turns, so that the last group does not lie over all others; grey ones beneath.
    const turnOf = (i) => (look[i] >= count ? 0 : 1 + (Math.imul(i, 2654435761) >>> 29));
    const bins = new Int32Array((TURNS + 1) * looks.length + 1);
    const bin = (i) => turnOf(i) * looks.length + look[i];
    for (let i = 0; i < n; i++) bins[bin(i) + 1]++;
    for (let b = 0; b + 1 < bins.length; b++) bins[b + 1] += bins[b];
    const next = bins.slice();
    for (let i = 0; i < n; i++) order[next[bin(i)]++] = i;
    segments = [];
    for (let b = 0; b + 1 < bins.length; b++) {
      if (bins[b + 1] > bins[b]) segments.push({ look: b % looks.length, turn: Math.floor(b / looks.length), from: bins[b], to: bins[b + 1] });
    }
    alone = null;
    list();
  }

  /** Fill the legend; its marks also say what colour a look has in this theme. */
  function list() {
    legend.replaceChildren();
    looks.forEach((look, i) => {
      if (!look.count) return;
      const item = document.createElement("li"), button = document.createElement("button"), dot = document.createElement("i");
      dot.className = `dot ${look.colour} ${SHAPES[look.shape]}`;
      button.type = "button";
      button.setAttribute("aria-pressed", "false");
      button.append(dot, `${look.name} (${look.count.toLocaleString("en")})`);
      button.addEventListener("click", () => {
        alone = alone === i ? null : i;
        for (const b of legend.querySelectorAll("button")) b.setAttribute("aria-pressed", String(b === button && alone === i));
        draw();
      });
      look.dot = dot;
      item.append(button);
      legend.append(item);
    });
  }

  function trace(shape, px, py, r) {
    if (shape === 0) {
      pen.moveTo(px + r, py);
      pen.arc(px, py, r, 0, 6.2832);
    } else if (shape === 1) {
      pen.rect(px - 0.9 * r, py - 0.9 * r, 1.8 * r, 1.8 * r);
    } else {
      pen.moveTo(px, py - 1.2 * r);
      pen.lineTo(px + 1.1 * r, py + 0.8 * r);
      pen.lineTo(px - 1.1 * r, py + 0.8 * r);
    }
  }

  const radius = () => Math.min(7, (n > 10000 ? 1.5 : n > 3000 ? 2.2 : n > 600 ? 3 : 4) * Math.pow(zoom, 0.35));

  function paint() {
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.globalAlpha = 0.85;
    const shades = looks.map((look) => (look.count ? getComputedStyle(look.dot).color : ""));
    const r = radius();
    const small = r < 2; // then a square looks like a disc, and is drawn far faster
    const kx = zoom * (width - 2 * PAD), ky = zoom * (height - 2 * PAD);
    const ox = PAD - left * kx, oy = PAD - top * ky;
    for (const segment of segments) {
      if (hurried && n > MANY && segment.turn > FEW_TURNS) break; // a sample while the view moves
      if (alone !== null && alone !== segment.look) continue;
      const look = looks[segment.look];
      pen.fillStyle = shades[segment.look];
      pen.beginPath();
      for (let j = segment.from; j < segment.to; j++) {
        const i = order[j];
        const px = ox + x[i] * kx, py = oy + y[i] * ky;
        if (px < -r || py < -r || px > width + r || py > height + r) continue;
        if (small && look.shape < 2) pen.fillRect(px - r, py - r, 2 * r, 2 * r);
        else trace(look.shape, px, py, r);
      }
      pen.fill();
    }
    mark();
  }

  /** Ring the chosen dot and put its image beside it. */
  function mark() {
    ringPen.setTransform(ratio, 0, 0, ratio, 0, 0);
    ringPen.clearRect(0, 0, width, height);
    tip.hidden = chosen < 0;
    if (chosen < 0) return;
    const px = toX(x[chosen]), py = toY(y[chosen]);
    const style = getComputedStyle(frame);
    for (const [colour, line] of [[style.backgroundColor, 6], [style.color, 2.5]]) {
      ringPen.beginPath();
      ringPen.arc(px, py, radius() + 4, 0, 6.2832);
      ringPen.strokeStyle = colour;
      ringPen.lineWidth = line;
      ringPen.stroke();
    }
    const room = 16, w = tip.offsetWidth, h = tip.offsetHeight;
    const tx = px < width / 2 ? px + room : px - room - w;
    const ty = Math.max(4, Math.min(height - h - 4, py - h / 2));
    tip.style.transform = `translate(${Math.max(4, Math.min(width - w - 4, tx))}px, ${ty}px)`;
  }

  let waiting = false;
  function draw() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; paint(); });
  }

  // ---- images: a sheet is fetched when the first of its images is looked at
  const fetched = new Map();
  function sheet(k) {
    if (!fetched.has(k)) {
      const image = new Image();
      image.src = `../${sheets.folder}/${String(k).padStart(3, "0")}.jpg`;
      fetched.set(k, image.decode().then(() => image, () => null));
    }
    return fetched.get(k);
  }

  function choose(i) {
    if (i === chosen) return;
    chosen = i;
    if (i >= 0) {
      const said = columns.map((c, k) => `${c.name}: ${codes[k][i] === NONE ? c.nothing : c.groups[codes[k][i]]}`);
      tipText.textContent = [...said, ids[i]].join("\n");
      const per = sheets.across * sheets.across, side = tipPen.canvas.width;
      tipPen.clearRect(0, 0, side, side);
      delete tip.dataset.image;
      sheet(Math.floor(i / per)).then((image) => {
        if (chosen !== i) return;
        if (!image) { tip.dataset.image = "gone"; return; }
        const at = i % per, t = sheets.tile;
        tipPen.imageSmoothingEnabled = t >= 64;
        tipPen.drawImage(image, (at % sheets.across) * t, Math.floor(at / sheets.across) * t, t, t, 0, 0, side, side);
        tip.dataset.image = String(i);
      });
    }
    mark();
  }

  const isShown = (i) => alone === null || lookOf(i) === alone;
  function lookOf(i) {
    const column = columns[by], code = codes[by][i];
    if (code === NONE) return column.legend.length + 1;
    return column.looks[code] < 0 ? column.legend.length : column.looks[code];
  }

  /** The dot nearest to a place on the canvas, within reach; -1 if there is none. */
  function nearest(px, py, reach) {
    const bin = (v) => Math.max(0, Math.min(GRID - 1, Math.floor(v * GRID)));
    const c0 = bin(fromX(px - reach)), c1 = bin(fromX(px + reach)), r0 = bin(fromY(py - reach)), r1 = bin(fromY(py + reach));
    let best = -1, least = reach * reach;
    for (let r = r0; r <= r1; r++) {
      for (let k = starts[r * GRID + c0]; k < starts[r * GRID + c1 + 1]; k++) {
        const i = members[k], dx = toX(x[i]) - px, dy = toY(y[i]) - py, d = dx * dx + dy * dy;
        if (d <= least && isShown(i)) { least = d; best = i; }
      }
    }
    return best;
  }

  /** The next dot in a direction: of those within 45 degrees of it the nearest. */
  function beside(i, dx, dy) {
    let best = -1, least = Infinity;
    const kx = width - 2 * PAD, ky = height - 2 * PAD;
    for (let j = 0; j < n; j++) {
      const ax = (x[j] - x[i]) * kx, ay = (y[j] - y[i]) * ky;
      const along = ax * dx + ay * dy, off = Math.abs(ax * dy) + Math.abs(ay * dx);
      if (along <= 0 || off > along) continue;
      const d = along * along + 3 * off * off;
      if (d < least && isShown(j)) { least = d; best = j; }
    }
    return best;
  }

  function scale(factor, px = width / 2, py = height / 2) {
    const ux = fromX(px), uy = fromY(py);
    zoom = Math.max(1, Math.min(MOST_ZOOM, zoom * factor));
    left = ux - (px - PAD) / (zoom * (width - 2 * PAD));
    top = uy - (py - PAD) / (zoom * (height - 2 * PAD));
    settle();
  }

  function pan(dx, dy) {
    left -= dx / (zoom * (width - 2 * PAD));
    top -= dy / (zoom * (height - 2 * PAD));
    settle();
  }

  /** Keep the plane in the frame. */
  function settle() {
    const most = 1 - 1 / zoom;
    left = Math.max(0, Math.min(most, left));
    top = Math.max(0, Math.min(most, top));
    canvas.classList.toggle("zoomed", zoom > 1);
    hurried = true;
    clearTimeout(resting);
    resting = setTimeout(() => { hurried = false; draw(); }, REST_MS);
    draw();
  }

  function reveal(i) {
    if (i < 0) return;
    choose(i);
    const px = toX(x[i]), py = toY(y[i]);
    if (px < PAD || py < PAD || px > width - PAD || py > height - PAD) pan(width / 2 - px, height / 2 - py);
  }

  // ---- pointers: one hovers or drags, two pinch
  const down = new Map();
  let spread = 0, moved = 0;
  const place = (e) => { const box = canvas.getBoundingClientRect(); return [e.clientX - box.left, e.clientY - box.top]; };
  const two = () => { const [a, b] = [...down.values()]; return { px: (a[0] + b[0]) / 2, py: (a[1] + b[1]) / 2, far: Math.hypot(a[0] - b[0], a[1] - b[1]) }; };

  canvas.addEventListener("pointerdown", (e) => {
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(e.pointerId);
    down.set(e.pointerId, place(e));
    moved = 0;
    if (down.size === 2) spread = two().far;
  });
  canvas.addEventListener("pointermove", (e) => {
    const [px, py] = place(e);
    const before = down.get(e.pointerId);
    if (!before) { choose(nearest(px, py, REACH)); return; }
    down.set(e.pointerId, [px, py]);
    moved += Math.hypot(px - before[0], py - before[1]);
    if (down.size === 2) {
      const now = two();
      scale(now.far / Math.max(1, spread), now.px, now.py);
      spread = now.far;
    } else if (moved > 4) {
      pan(px - before[0], py - before[1]);
    }
  });
  const up = (e) => {
    if (e.type === "pointerup" && down.size === 1 && moved <= 8) choose(nearest(...place(e), e.pointerType === "touch" ? 2 * REACH : REACH));
    down.delete(e.pointerId);
    if (down.size) moved = 99; // the finger that stays does not tap
  };
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", up);
  canvas.addEventListener("pointerleave", (e) => { if (e.pointerType === "mouse" && !down.size) choose(-1); });
  canvas.addEventListener("wheel", (e) => {
    if (!e.ctrlKey && document.activeElement !== canvas) return; // the page scrolls
    e.preventDefault();
    scale(Math.exp(-e.deltaY * (e.ctrlKey ? 0.01 : 0.0015)), ...place(e));
  }, { passive: false });

  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  canvas.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (arrows[e.key]) {
      const from = chosen >= 0 ? chosen : nearest(width / 2, height / 2, width + height);
      reveal(chosen >= 0 ? beside(from, ...arrows[e.key]) : from);
    } else if (e.key === "Home") reveal([...order].find(isShown) ?? -1);
    else if (e.key === "+" || e.key === "=") scale(1.5, ...focus());
    else if (e.key === "-") scale(1 / 1.5, ...focus());
    else if (e.key === "0") scale(0);
    else if (e.key === "Escape") choose(-1);
    else return;
    e.preventDefault();
  });
  const focus = () => (chosen >= 0 ? [toX(x[chosen]), toY(y[chosen])] : [width / 2, height / 2]);
  canvas.addEventListener("blur", () => choose(-1));

  document.getElementById("map-in").addEventListener("click", () => scale(1.5));
  document.getElementById("map-out").addEventListener("click", () => scale(1 / 1.5));
  document.getElementById("map-all").addEventListener("click", () => scale(0));
  const select = document.getElementById("map-by");
  select.addEventListener("change", () => { by = Number(select.value); regroup(); draw(); });
  const ofSeed = document.getElementById("map-seed");
  ofSeed.addEventListener("change", () => { choose(-1); sow(seeds[ofSeed.value]); regroup(); draw(); });

  function fit() {
    width = Math.max(1, frame.clientWidth);
    height = Math.max(1, frame.clientHeight);
    ratio = devicePixelRatio || 1;
    for (const c of [canvas, ring]) { c.width = Math.round(width * ratio); c.height = Math.round(height * ratio); }
    paint();
  }

  canvas.after(ring);
  by = Number(select.value) || 0; // browsers keep a choice over a reload
  sow(seeds[ofSeed.value] || seeds[0]);
  regroup();
  new ResizeObserver(fit).observe(frame);
  new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
})();
