// What the page needs of three.js, and nothing else: `npm run build` makes three.bundle.js of it.
export {
  Box3, CanvasTexture, CircleGeometry, DirectionalLight, HemisphereLight, Mesh,
  MeshBasicMaterial, NeutralToneMapping, PerspectiveCamera, Scene, Spherical, SRGBColorSpace, Vector3, WebGLRenderer,
} from "three";
export { OrbitControls } from "three/addons/controls/OrbitControls.js";
export { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
