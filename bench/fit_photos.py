"""Fit every photo of the data folder and lay the overlays out on one sheet, refusals with their reason.

python bench/fit_photos.py [sheet.png]      about 4 s a photo; statures are assumed, nobody measured these people
"""

import sys
import time

from PIL import Image

from avatarlab import DATA, ROOT
from avatarlab.body import Body
from avatarlab.errors import InputError
from avatarlab.files import whole
from avatarlab.fit import fit
from avatarlab.fit.pictures import overlaid
from avatarlab.photo import decode, observe, picture
from avatarlab.render import contact_sheet

WOMEN = ("ibm_maxod_dog_human_profile", "tfjs_pose_warrior")
STATURE_M = {True: 1.68, False: 1.78}


def main() -> None:
    target = sys.argv[1] if len(sys.argv) > 1 else ROOT / "reports" / "photos_fitted.png"
    body, pictures, captions = Body.load(), [], []
    for path in sorted((DATA / "photos").glob("*.jpg")):
        photo = decode(path)
        seen = observe(photo)
        begin = time.perf_counter()
        try:
            result = fit(seen, STATURE_M[path.stem in WOMEN], body)
            shape, pose, camera = result.person.betas(), result.poses[0], result.cameras[0]
            pictures.append(overlaid(photo.rgb, seen.mask, body, shape, pose, camera))
            captions.append(f"{path.stem}  IoU {result.quality.views[0].iou:.3f}")
        except InputError as error:
            pictures.append(picture(photo.rgb, seen))
            captions.append(f"refused: {error}")
        print(f"{captions[-1]}  ({time.perf_counter() - begin:.1f} s)")
    with whole(target) as part:
        Image.fromarray(contact_sheet(pictures, captions, columns=4, cell_px=640)).save(part)
    print(target)


if __name__ == "__main__":
    main()
