"""What clients attach: documents to text, images to a useful size, addresses to what they hold."""
