"""Any remote that rclone knows: Box, OneDrive, Drive, Dropbox and many others."""
