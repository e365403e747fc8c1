// The avatar on its stand, turning. Loaded only when there is one to show, because three.js is large.

import {
  Box3, CanvasTexture, CircleGeometry, DirectionalLight, GLTFLoader, HemisphereLight, Mesh, MeshBasicMaterial,
  NeutralToneMapping, OrbitControls, PerspectiveCamera, Scene, Spherical, SRGBColorSpace, Vector3, WebGLRenderer,
} from "./three.bundle.js";

const FIELD_DEG = 26;
const TURN = 2.4;      // OrbitControls' measure: a turn in 25 s
const MARGIN = 1.16;
const LIFT_PX = 22;    // the body stands a little above the middle, clear of the buttons
const STEP_RAD = Math.PI / 12;

export function possible() {
  try {
    return Boolean(document.createElement("canvas").getContext("webgl2"));
  } catch {
    return false;
  }
}

export class Viewer {
  // canvas: where; bytes: an ArrayBuffer of a GLB; still: whether not to turn by itself; onLost: graphics gave up.
  static async open(canvas, bytes, options) {
    const gltf = await new GLTFLoader().parseAsync(bytes, "");
    return new Viewer(canvas, gltf.scene, options);
  }

  constructor(canvas, avatar, { still = false, onLost = () => {} } = {}) {
    this.canvas = canvas;
    this.renderer = new WebGLRenderer({ canvas, antialias: true, alpha: true });
    this.renderer.toneMapping = NeutralToneMapping;
    this.scene = new Scene();
    this.camera = new PerspectiveCamera(FIELD_DEG, 1, 0.05, 60);
    this.#light();
    this.#stand(avatar);
    this.controls = new OrbitControls(this.camera, canvas);
    Object.assign(this.controls, {
      enableDamping: true, enablePan: false, enableZoom: false, autoRotate: !still, autoRotateSpeed: TURN,
      minPolarAngle: 0.25, maxPolarAngle: 1.75,
    });
    canvas.style.touchAction = "pan-y";  // a finger moving up or down scrolls the page, sideways turns the avatar
    this.ended = new AbortController();
    this.#listen(onLost);
    this.#fit();
    this.front();
    this.last = performance.now();
    this.#draw(this.last);
  }

  get turning() { return this.controls.autoRotate; }

  turn(on) { this.controls.autoRotate = on; this.dirty = true; }

  front() {
    const eye = new Spherical(this.#distance(), Math.PI / 2 - 0.06, 0.35);
    this.camera.position.setFromSpherical(eye).add(this.controls.target.copy(this.centre));
    this.controls.update();
    this.dirty = true;
  }

  zoom(factor) { this.#move((eye) => { eye.radius *= factor; }); }

  close() {
    this.ended.abort();
    this.sizes.disconnect();
    cancelAnimationFrame(this.frame);
    this.controls.dispose();
    this.scene.traverse((node) => {
      node.geometry?.dispose();
      node.material?.map?.dispose();
      node.material?.dispose();
    });
    this.renderer.dispose();
  }

  #light() {
    const key = new DirectionalLight("#fff4e6", 3.1), rim = new DirectionalLight("#d6e6ff", 1.8);
    key.position.set(-1.4, 2.2, 2.4);
    rim.position.set(1.8, 1.6, -2.2);
    this.lamps = [key, rim];
    this.scene.add(new HemisphereLight("#ffffff", "#9a9088", 2.1), ...this.lamps);
  }

  #stand(avatar) {
    avatar.updateMatrixWorld(true);
    avatar.traverse((node) => { if (node.isSkinnedMesh) { node.computeBoundingBox(); node.frustumCulled = false; } });
    const box = new Box3().setFromObject(avatar);
    this.centre = box.getCenter(new Vector3());
    this.size = box.getSize(new Vector3());
    const reach = Math.hypot(Math.max(-box.min.x, box.max.x), Math.max(-box.min.z, box.max.z));
    this.radius = Math.min(reach, this.size.x / 2 + this.size.z / 4);
    const soft = new MeshBasicMaterial({ map: spot(), transparent: true, depthWrite: false });
    const shadow = new Mesh(new CircleGeometry(0.55, 48), soft);
    shadow.rotation.x = -Math.PI / 2;
    shadow.position.set(this.centre.x, box.min.y - 0.002, this.centre.z);
    this.scene.add(avatar, shadow);
  }

  #distance() {
    // From where the whole body is in the picture, however it is turned.
    const up = Math.tan((FIELD_DEG / 2) * Math.PI / 180), side = up * this.camera.aspect;
    return MARGIN * Math.max(this.size.y / 2 / up, this.radius / side) + this.size.z / 2;
  }

  #fit() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height) return;
    const before = this.size && this.camera.aspect !== 1 ? this.#distance() : 0;
    this.renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
    this.renderer.setSize(width, height, false);
    this.camera.aspect = width / height;
    this.camera.setViewOffset(width, height, 0, LIFT_PX, width, height);
    if (before) this.zoom(this.#distance() / before);
    this.dirty = true;
  }

  #move(change) {
    const eye = new Spherical().setFromVector3(this.camera.position.clone().sub(this.controls.target));
    change(eye);
    eye.phi = Math.min(Math.max(eye.phi, this.controls.minPolarAngle), this.controls.maxPolarAngle);
    eye.radius = Math.min(Math.max(eye.radius, 0.25 * this.#distance()), 1.6 * this.#distance());
    this.camera.position.setFromSpherical(eye).add(this.controls.target);
    this.dirty = true;
  }

  #listen(onLost) {
    const { signal } = this.ended, keys = {
      ArrowLeft: () => this.#move((eye) => { eye.theta -= STEP_RAD; }),
      ArrowRight: () => this.#move((eye) => { eye.theta += STEP_RAD; }),
      ArrowUp: () => this.#move((eye) => { eye.phi -= STEP_RAD; }),
      ArrowDown: () => this.#move((eye) => { eye.phi += STEP_RAD; }),
      "+": () => this.zoom(0.85), "=": () => this.zoom(0.85), "-": () => this.zoom(1 / 0.85),
    };
    const on = (name, run, options) => this.canvas.addEventListener(name, run, { signal, ...options });
    on("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
      event.preventDefault();
      keys[event.key]();
    });
    // The wheel scrolls the page until the avatar has been clicked: a page that holds the wheel fast is a trap.
    on("wheel", (event) => {
      if (document.activeElement !== this.canvas) return;
      event.preventDefault();
      this.zoom(event.deltaY < 0 ? 0.93 : 1 / 0.93);
    }, { passive: false });
    on("webglcontextlost", (event) => { event.preventDefault(); onLost(); });
    this.controls.addEventListener("change", () => { this.dirty = true; });
    this.sizes = new ResizeObserver(() => this.#fit());
    this.sizes.observe(this.canvas);
  }

  #draw(now) {
    this.frame = requestAnimationFrame((next) => this.#draw(next));
    this.controls.update(Math.min(now - this.last, 100) / 1000);
    this.last = now;
    if (!this.dirty) return;
    this.dirty = false;
    this.renderer.render(this.scene, this.camera);
  }
}

function spot() {
  // A soft shadow under the feet: no light casts one, so that a graphics chip of any age keeps up.
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 128;
  const brush = canvas.getContext("2d"), fade = brush.createRadialGradient(64, 64, 4, 64, 64, 64);
  fade.addColorStop(0, "rgba(12,18,28,.5)");
  fade.addColorStop(0.45, "rgba(12,18,28,.2)");
  fade.addColorStop(1, "rgba(12,18,28,0)");
  brush.fillStyle = fade;
  brush.fillRect(0, 0, 128, 128);
  const texture = new CanvasTexture(canvas);
  texture.colorSpace = SRGBColorSpace;
  return texture;
}
