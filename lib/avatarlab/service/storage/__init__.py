"""Where photos come from and avatars go to: an S3 bucket, or a folder for a first try."""

from avatarlab.service.storage.folder import FolderStorage
from avatarlab.service.storage.interface import Storage
from avatarlab.service.storage.s3 import S3Storage, open_storage

__all__ = ["FolderStorage", "S3Storage", "Storage", "open_storage"]
